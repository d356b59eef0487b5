"""Recorded logs against the play they were made of."""

import hashlib
import pathlib
from typing import Any

import numpy as np
import pytest
from dopamine.tf.replay_memory import circular_replay_buffer
from helpers.cases import cases
from helpers.datasets import build
from helpers.logs import read_gz

import tfds_atari_replay
from tfds_atari_replay.envs import recording
from tfds_atari_replay.envs.emulators import find_emulator
from tfds_atari_replay.envs.policies import RandomPolicy
from tfds_atari_replay.envs.roms import find_rom
from tfds_atari_replay.logs import inspection


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
    """The dataset of a recording has each frame, action, reward and flag once, in order."""
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
    """Returns the elements, with nested datasets as lists."""
    import tensorflow_datasets as tfds

    return [{**episode, "steps": list(episode["steps"])} for episode in tfds.as_numpy(dataset)]


def test_the_same_arguments_give_the_same_files(tmp_path: pathlib.Path) -> None:

    def digest(folder: str, seed: int) -> str:
        logs = recording.record("Pong", tmp_path / folder, steps=80, capacity=30, seed=seed)
        paths = sorted(logs.iterdir())
        return hashlib.md5(b"".join(path.read_bytes() for path in paths)).hexdigest()

    assert digest("a", 1) == digest("b", 1) != digest("c", 2)


def test_the_capacity_fits_the_steps(tmp_path: pathlib.Path) -> None:
    """There is one checkpoint; the ring's first lap ends with the last step."""
    logs = recording.record("Breakout", tmp_path / "a", steps=300)
    actions = read_gz(logs / "$store$_action_ckpt.0.gz")
    count = int(read_gz(logs / "add_count_ckpt.0.gz"))
    assert len(actions) == count + 1 > 303
    same = recording.record("Breakout", tmp_path / "b", steps=300, capacity=len(actions))
    for path in (*logs.iterdir(), *same.iterdir()):
        assert (logs / path.name).read_bytes() == (same / path.name).read_bytes()
    buffer = circular_replay_buffer.OutOfGraphReplayBuffer((84, 84), 4, len(actions), 32)
    buffer.load(str(logs), 0)
    assert int(buffer.add_count) == count
    (report,) = inspection.inspect(tmp_path / "a", deep=True)
    assert (report.steps, report.checkpoint) == (300, 0)


def test_runs_differ_unless_they_have_the_same_seed(tmp_path: pathlib.Path) -> None:

    def actions(run: int, seed: int | None) -> bytes:
        folder = tmp_path / f"{run} {seed}"
        logs = recording.record("Pong", folder, steps=80, capacity=100, run=run, seed=seed)
        return bytes(read_gz(logs / "$store$_action_ckpt.0.gz").tobytes())

    assert actions(1, None) == actions(1, 0) != actions(2, None) == actions(2, 1) == actions(3, 1)


def test_an_episode_is_cut_after_27000_steps(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terminal is set there, as in Dopamine; the next episode starts at a reset."""
    monkeypatch.setattr(recording, "MAX_STEPS", 20)
    logs = recording.record("Pong", tmp_path, steps=50, capacity=100)
    terminal = read_gz(logs / "$store$_terminal_ckpt.0.gz")
    np.testing.assert_array_equal(np.flatnonzero(terminal), [3 + 19, 3 + 20 + 3 + 19])
    frames = read_gz(logs / "$store$_observation_ckpt.0.gz")
    np.testing.assert_array_equal(frames[3], frames[3 + 20 + 3])


def test_a_policy_sees_the_stack_that_dopamines_agents_saw(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the last four frames, oldest first, with zeros before each reset."""
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
        ({"policy": lambda _: [6]}, r"Actions in Pong are 0 to 5; the policy gave \[6\]"),
    ],
)
def test_bad_arguments_are_refused(
    tmp_path: pathlib.Path, arguments: dict[str, Any], message: str
) -> None:
    """Nothing is left that looks like a log."""
    with pytest.raises(ValueError, match=message):
        recording.record(
            **{"game": "Pong", "out": tmp_path, "steps": 5, "capacity": 20, **arguments}
        )
    assert not list(tmp_path.rglob("replay_logs*"))


def test_logs_are_never_overwritten(tmp_path: pathlib.Path) -> None:
    """A second recording of a run is refused and leaves the first unchanged."""
    logs = recording.record("Pong", tmp_path, steps=5, capacity=20)
    before = {path: path.read_bytes() for path in logs.iterdir()}
    with pytest.raises(FileExistsError, match="already holds logs"):
        recording.record("Pong", tmp_path, steps=5, capacity=20, seed=1)
    assert {path: path.read_bytes() for path in logs.iterdir()} == before


def test_an_interrupted_recording_is_not_a_log(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its dumps are kept under a name that nothing reads, and a new recording is complete."""

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


def test_of_two_recordings_at_once_the_second_to_finish_fails(tmp_path: pathlib.Path) -> None:
    """The two recordings do not mix, and neither is lost."""

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


def test_a_folder_that_is_not_empty_is_refused_before_play(tmp_path: pathlib.Path) -> None:
    """It would be too late after hours, when the finished logs are renamed."""
    folder = tmp_path / "Pong" / "1" / "replay_logs"
    folder.mkdir(parents=True)
    (folder / "notes.txt").touch()

    def policy(_: Any) -> Any:
        raise AssertionError

    with pytest.raises(FileExistsError, match="already holds logs"):
        recording.record("Pong", tmp_path, steps=5, capacity=20, policy=policy)
    assert [path.name for path in folder.parent.iterdir()] == ["replay_logs"]
