"""Recorded logs against Dopamine's own replay buffer, and against the play they were made of."""

import hashlib
import pathlib
from typing import Any

import numpy as np
import pytest
from dopamine.tf.replay_memory import circular_replay_buffer
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, build
from helpers.logs import log_folder, make_episodes, open_log, read_gz, write_log

import tfds_atari_replay
from tfds_atari_replay.envs import recording
from tfds_atari_replay.envs.emulators import find_emulator
from tfds_atari_replay.envs.policies import RandomPolicy
from tfds_atari_replay.envs.roms import find_rom
from tfds_atari_replay.logs import inspection
from tfds_atari_replay.logs.episodes import read_episodes


class DopamineLogger(circular_replay_buffer.OutOfGraphReplayBuffer):
    """Dopamine's buffer with what batch_rl's logger adds: a dump per lap, and a last one."""

    def __init__(self, folder: pathlib.Path, capacity: int):
        super().__init__((84, 84), 4, capacity, 32, checkpoint_duration=10**6)
        for array in self._store.values():
            array[:] = 0  # as made, it is whatever lay in memory
        folder.mkdir(parents=True)
        self._log, self._num_dumps = str(folder), 0

    def add(self, *args: Any, **kwargs: Any) -> None:
        super().add(*args, **kwargs)
        if self.cursor() == self._replay_capacity - 1:
            self._dump()

    def close(self) -> None:
        self.add_count = np.array(self.cursor())
        self._dump()

    def _dump(self) -> None:
        self.save(self._log, self._num_dumps)
        self._num_dumps += 1


def load_dopamine(folder: pathlib.Path, capacity: int, number: int) -> Any:
    """Dopamine's buffer, filled from a checkpoint."""
    buffer = circular_replay_buffer.OutOfGraphReplayBuffer((84, 84), 4, capacity, 32)
    buffer.load(str(folder), number)
    return buffer


@pytest.mark.parametrize("capacity", [7, 10, 33, 64, 200])
def test_writes_what_dopamine_writes(tmp_path: pathlib.Path, capacity: int) -> None:
    """The same files with the same arrays, dump by dump, skipped laps included."""
    truths = make_episodes([13, 14, 30, 1, 2, 40])
    write_log(tmp_path / "ours", capacity, truths)
    oracle = DopamineLogger(tmp_path / "dopamine", capacity)
    for truth in truths:
        for step in range(len(truth.action)):
            oracle.add(
                truth.frames[step],
                int(truth.action[step]),
                float(truth.reward[step]),
                step == len(truth.action) - 1,
            )
    oracle.close()
    names = {path.name for path in (tmp_path / "dopamine").iterdir()}
    assert {path.name for path in (tmp_path / "ours").iterdir()} == names
    assert len(names) >= 7
    for name in names:
        if not name.startswith("episode_end_indices"):
            ours, theirs = read_gz(tmp_path / "ours" / name), read_gz(tmp_path / "dopamine" / name)
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs, name)


def test_dopamine_loads_it_and_samples(tmp_path: pathlib.Path) -> None:
    """Each sampled stack is four frames in a row of one episode, or zeros before a reset."""
    truths = make_episodes([30, 25, 40])
    write_log(tmp_path / "log", 50, truths)
    buffer = load_dopamine(tmp_path / "log", 50, 1)
    assert int(buffer.add_count) == 99
    np.random.seed(0)
    state, action, reward, next_state, _, _, terminal, index = buffer.sample_transition_batch()
    frames = np.concatenate([truth.frames for truth in truths])
    assert len(set(index)) > 5
    for row in range(len(index)):
        step = int(state[row, 0, :4, -1].copy().view("<u4")[0])
        np.testing.assert_array_equal(state[row, ..., -1], frames[step])
        assert action[row] == step % 4
        assert reward[row] == step % 3 - 1
        if not terminal[row]:
            np.testing.assert_array_equal(next_state[row, ..., -1], frames[step + 1])


def test_dopamine_samples_from_dummy_data() -> None:
    """Its last dump too, of which Dopamine takes the newest rows only."""
    buffer = load_dopamine(DUMMY_DATA / "Breakout" / "1" / "replay_logs", 1499, 50)
    batch = buffer.sample_transition_batch(8)
    assert batch[0].shape == (8, 84, 84, 4)
    assert batch[0].any()


@pytest.mark.parametrize(
    ("game", "capacity", "steps"),
    cases(
        ("Freeway", 99, 420),
        slow=[("Pong", 500, 1400), ("Asterix", 337, 1300), ("SpaceInvaders", 250, 1100)],
    ),
)
def test_recorded_play_comes_back_from_the_dataset(
    tmp_path: pathlib.Path, game: str, capacity: int, steps: int
) -> None:
    """All the way: play, logs, tfds; every frame, action, reward and flag, in order, once."""
    recording.record(game, tmp_path, steps=steps, capacity=capacity, run=2, seed=5)
    # The same play once more, written down the plainest way.
    found = tfds_atari_replay.GAMES[game]
    emulator = find_emulator("ale_py")(found, seed=5, rom=find_rom(found, "ale"))
    policy = RandomPolicy(found, 5)
    rows: list[Any] = []  # by add: None in padding, else (frame, action, reward, terminal, first)
    dumps = []
    observation, first = emulator.reset(), True
    for _ in range(steps):
        rows += [None] * 3 if first else []
        action = int(policy(observation[np.newaxis])[0])
        following, reward, terminal = emulator.step(action)
        rows.append((observation, action, min(max(reward, -1), 1), terminal, first))
        if len(rows) % capacity == capacity - 1:
            dumps.append(len(rows))
        observation, first = (emulator.reset() if terminal else following), terminal
    dumps.append(len(rows))

    logs = tmp_path / game / "2" / "replay_logs"
    assert len(list(logs.glob("add_count*"))) == len(dumps) >= 3
    for number in {0, 1, len(dumps) - 1}:
        builder = build(f"{found.rom}_epoch_{number}_v1", tmp_path, tmp_path / "data")
        episodes = sorted(
            tfds_as_numpy(builder.as_dataset(split="train")), key=lambda e: int(e["episode_id"])
        )
        got = [step for episode in episodes for step in episode["steps"] if not step["is_terminal"]]
        expected = rows[max(0, dumps[number] - capacity) : dumps[number]]
        played = [row for row in expected if row is not None]
        assert len(got) == len(played) == builder.info.metadata["transitions"]
        for step, (frame, action, reward, terminal, _) in zip(got, played, strict=True):
            np.testing.assert_array_equal(step["observation"][..., 0], frame)
            assert (step["action"], step["reward"], step["discount"]) == (
                action,
                reward,
                not terminal,
            )
        starts = sum(row[4] for row in played)
        assert sum(bool(step["is_first"]) for step in got) == starts
        ends = sum(row[3] for row in played)
        assert sum(len(list(episode["steps"])) for episode in episodes) == len(played) + ends


def tfds_as_numpy(dataset: Any) -> list[Any]:
    """The elements, nested datasets as lists."""
    import tensorflow_datasets as tfds

    return [{**episode, "steps": list(episode["steps"])} for episode in tfds.as_numpy(dataset)]


def test_the_same_arguments_give_the_same_files(tmp_path: pathlib.Path) -> None:
    """Byte for byte."""

    def digest(folder: str, seed: int) -> str:
        logs = recording.record("Pong", tmp_path / folder, steps=80, capacity=30, seed=seed)
        paths = sorted(logs.iterdir())
        return hashlib.md5(b"".join(path.read_bytes() for path in paths)).hexdigest()

    assert digest("a", 1) == digest("b", 1) != digest("c", 2)


def test_each_run_is_other_play_unless_a_seed_is_given(tmp_path: pathlib.Path) -> None:
    """As the five public runs are."""

    def actions(run: int, seed: int | None) -> bytes:
        folder = tmp_path / f"{run} {seed}"
        logs = recording.record("Pong", folder, steps=80, capacity=100, run=run, seed=seed)
        return bytes(read_gz(logs / "$store$_action_ckpt.0.gz").tobytes())

    assert actions(1, None) == actions(1, 0) != actions(2, None) == actions(2, 1) == actions(3, 1)


def test_an_episode_is_cut_after_27000_steps(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With terminal set, as Dopamine does; the next row's episode starts at a reset."""
    monkeypatch.setattr(recording, "MAX_STEPS", 20)
    logs = recording.record("Pong", tmp_path, steps=50, capacity=100)
    terminal = read_gz(logs / "$store$_terminal_ckpt.0.gz")
    np.testing.assert_array_equal(np.flatnonzero(terminal), [3 + 19, 3 + 20 + 3 + 19])
    frames = read_gz(logs / "$store$_observation_ckpt.0.gz")
    np.testing.assert_array_equal(frames[3], frames[3 + 20 + 3])


def test_a_policy_sees_the_stack_that_dopamines_agents_saw(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four frames, oldest first, zeros before each reset."""
    monkeypatch.setattr(recording, "MAX_STEPS", 6)
    seen = []

    def policy(observations: Any) -> list[int]:
        seen.append(observations.copy())
        return [0]

    logs = recording.record("Pong", tmp_path, steps=12, capacity=50, policy=policy)
    frames = read_gz(logs / "$store$_observation_ckpt.0.gz")
    for step in range(12):
        # Dopamine's three zero rows are what pads the first stacks of an episode.
        start = step if step < 6 else step + 3
        np.testing.assert_array_equal(seen[step], frames[np.newaxis, start : start + 4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"game": "Pongg"}, "Did you mean 'Pong'"),
        ({"capacity": 10**12}, r"1,000,000,000,000 rows of 7,065 bytes are 7,065,000.0 GB, this"),
        ({"policy": lambda _: 1}, r"integers \(1,\), got int64 \(\)"),
        ({"policy": lambda _: [0.5]}, r"got float64 \(1,\)"),
        ({"policy": lambda _: [6]}, r"Actions in Pong are 0 to 5; the policy gave \[6\]"),
    ],
)
def test_bad_arguments_are_refused(
    tmp_path: pathlib.Path, arguments: dict[str, Any], message: str
) -> None:
    """With what was expected and what was got; nothing is left that looks like a log."""
    with pytest.raises(ValueError, match=message):
        recording.record(
            **{"game": "Pong", "out": tmp_path, "steps": 5, "capacity": 20, **arguments}
        )
    assert not list(tmp_path.rglob("replay_logs*"))


def test_logs_are_never_overwritten(tmp_path: pathlib.Path) -> None:
    """A second recording of a run is refused and leaves the first as it was."""
    logs = recording.record("Pong", tmp_path, steps=5, capacity=20)
    before = {path: path.read_bytes() for path in logs.iterdir()}
    with pytest.raises(FileExistsError, match="already holds logs"):
        recording.record("Pong", tmp_path, steps=5, capacity=20, seed=1)
    assert {path: path.read_bytes() for path in logs.iterdir()} == before


def play(capacity: int, lengths: list[int], folder: pathlib.Path) -> list[str]:
    """Logs episodes, and reads every checkpoint back; the numbers of the dumps."""
    held = write_log(log_folder(folder), capacity, make_episodes(lengths, last_is_cut=True))
    for number, truth in enumerate(held):
        found = read_episodes(open_log(folder, "Breakout", 1, number))
        for one, other in zip(found, truth, strict=True):
            np.testing.assert_array_equal(np.concatenate(list(one.frames)), other.frames)
            np.testing.assert_array_equal(one.action, other.action)
    return sorted(path.name for path in log_folder(folder).glob("add_count*"))


def test_an_end_right_after_the_first_laps_dump(tmp_path: pathlib.Path) -> None:
    """That dump has all there is; Dopamine's second would take the row never written for one."""
    assert play(20, [16], tmp_path) == ["add_count_ckpt.0.gz"]


def test_an_end_in_the_lap_after_a_first_that_was_not_dumped(tmp_path: pathlib.Path) -> None:
    """The only dump is of a full ring, and says so, though its number is 0."""
    # Adds 0-2 padding, 3-16 an episode, 17-19 padding: lap 0 would be dumped at 19 adds.
    assert play(20, [14, 10], tmp_path) == ["add_count_ckpt.0.gz"]
    assert read_gz(log_folder(tmp_path) / "add_count_ckpt.0.gz") == 30
    buffer = load_dopamine(log_folder(tmp_path), 20, 0)
    assert buffer.is_full()
    (report,) = inspection.inspect(tmp_path)
    assert report.unwritten_laps == 1


def test_what_an_interruption_leaves_is_no_log(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its dumps are kept under a name that nothing reads; the next recording is whole."""

    def policy(_: Any) -> list[int]:
        policy.calls += 1  # type: ignore[attr-defined]
        if policy.calls == 70:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return [0]

    policy.calls = 0  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        recording.record("Pong", tmp_path, steps=100, capacity=30, policy=policy)
    (left,) = (tmp_path / "Pong" / "1").iterdir()
    assert left.name.startswith("replay_logs.incomplete-")
    assert {path.name for path in left.glob("add_count*")} == {
        "add_count_ckpt.0.gz",
        "add_count_ckpt.1.gz",
    }
    assert str(left) in caplog.text
    with pytest.raises(FileNotFoundError, match="No replay logs in"):
        inspection.inspect(tmp_path)
    logs = recording.record("Pong", tmp_path, steps=100, capacity=30)
    assert all(report.is_usable for report in inspection.inspect(tmp_path, deep=True))
    assert logs.name == "replay_logs"


def test_of_two_at_once_the_second_to_finish_is_told(tmp_path: pathlib.Path) -> None:
    """Nothing is mixed, and nothing lost."""

    def policy(_: Any) -> list[int]:
        if not (tmp_path / "Pong" / "1" / "replay_logs").exists():
            recording.record("Pong", tmp_path, steps=100, capacity=30, seed=1)
        return [0]

    with pytest.raises(FileExistsError, match="replay_logs was created in the meantime") as error:
        recording.record("Pong", tmp_path, steps=60, capacity=30, policy=policy)
    ours = pathlib.Path(str(error.value).rpartition(", in ")[2])
    first = recording.record(
        "Pong", tmp_path / "alone", steps=60, capacity=30, policy=lambda _: [0]
    )
    second = recording.record("Pong", tmp_path / "alone", steps=100, capacity=30, seed=1, run=2)
    for folder, alone in ((ours, first), (tmp_path / "Pong" / "1" / "replay_logs", second)):
        for path in alone.iterdir():
            assert (folder / path.name).read_bytes() == path.read_bytes()


def test_a_folder_with_anything_in_it_is_refused_before_play(tmp_path: pathlib.Path) -> None:
    """Not after hours, when the finished logs are to have its name."""
    folder = tmp_path / "Pong" / "1" / "replay_logs"
    folder.mkdir(parents=True)
    (folder / "notes.txt").touch()

    def policy(_: Any) -> Any:
        raise AssertionError

    with pytest.raises(FileExistsError, match="already holds logs"):
        recording.record("Pong", tmp_path, steps=5, capacity=20, policy=policy)
    assert [path.name for path in folder.parent.iterdir()] == ["replay_logs"]
