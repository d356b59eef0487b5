"""Written logs against Dopamine's own replay buffer, and read back."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from dopamine.tf.replay_memory import circular_replay_buffer
from helpers.datasets import DUMMY_DATA
from helpers.logs import log_folder, make_episodes, open_log, read_gz, write_log

from tfds_atari_replay.logs import inspection
from tfds_atari_replay.logs.episodes import read_episodes
from tfds_atari_replay.logs.writer import ReplayLogger


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


def test_a_few_steps_are_one_checkpoint_of_their_size(tmp_path: pathlib.Path) -> None:
    """Unless a capacity is given; rewards are clipped, and what is added later is refused."""
    frames = np.arange(3, dtype=np.uint8)[:, np.newaxis, np.newaxis] + np.zeros((84, 84), np.uint8)
    with ReplayLogger(log_folder(tmp_path)) as logger:
        for step, reward in enumerate([-7, 0.5, 30]):
            logger.add(frames[step], step, reward, step == 2)
    checkpoint = open_log(tmp_path, "Breakout", 1, 0)
    assert checkpoint.capacity == 7  # three rows of padding, three steps and the cursor's
    for episode in read_episodes(checkpoint):
        np.testing.assert_array_equal(np.concatenate(list(episode.frames)), frames)
    assert episode.action.tolist() == [0, 1, 2]
    assert episode.reward.tolist() == [-1, 0.5, 1]
    assert episode.is_complete
    logger.close()  # once more does no harm
    with pytest.raises(ValueError, match=r"The logger of .*replay_logs is closed"):
        logger.add(frames[0], 0, 0, False)


def test_what_was_added_is_written_whatever_happens(tmp_path: pathlib.Path) -> None:
    frame = np.full((84, 84), 9, np.uint8)

    def play() -> None:
        with ReplayLogger(tmp_path / "a") as logger:
            logger.add(frame, 1, 0, False)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play()
    assert read_gz(tmp_path / "a" / "$store$_action_ckpt.0.gz").tolist() == [0, 0, 0, 1, 0]
    with ReplayLogger(tmp_path / "b"):
        pass
    assert not list((tmp_path / "b").iterdir())


def test_a_folder_that_holds_something_is_not_written_to(tmp_path: pathlib.Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mine").write_text("kept")
    with pytest.raises(FileExistsError, match="logs already holds something"):
        ReplayLogger(tmp_path / "logs", 10)
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observation": np.zeros((4, 84, 84), np.uint8)}, r"uint8 \(84, 84\) \(got uint8 \(4, "),
        ({"observation": np.zeros((84, 84))}, r"uint8 \(84, 84\) \(got float64"),
        ({"action": 18}, r"action must be a whole number, at least 0 and below 18 \(got 18\)"),
        ({"action": -1}, r"action must be a whole number, at least 0 and below 18 \(got -1\)"),
        ({"action": 1.5}, r"action must be a whole number, at least 0 and below 18 \(got 1.5\)"),
        ({"reward": float("nan")}, r"reward must be a finite number \(got nan\)"),
        ({"reward": None}, r"reward must be a finite number \(got None\)"),
    ],
)
def test_what_cannot_be_logged(tmp_path: pathlib.Path, change: Any, message: str) -> None:
    frame = np.zeros((84, 84), np.uint8)
    step: dict[str, Any] = {"observation": frame, "action": 0, "reward": 0, "terminal": False}
    with ReplayLogger(tmp_path) as logger, pytest.raises((ValueError, TypeError), match=message):
        logger.add(**{**step, **change})
    assert not list(tmp_path.iterdir())
