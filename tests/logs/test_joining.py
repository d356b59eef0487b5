"""Joined runs against the play that was logged."""

from __future__ import annotations

import os
import pathlib
import pickle
import shutil
import tempfile
from collections.abc import Callable

import numpy as np
import pytest
from etils import epath
from helpers.datasets import DUMMY_DATA
from helpers.logs import (
    Truth,
    log,
    log_folder,
    make_episodes,
    read_gz,
    write_gz,
    write_log,
    write_run,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tfds_atari_replay import GAMES, ReplayLogError
from tfds_atari_replay.logs import layouts
from tfds_atari_replay.logs.checkpoint import open_checkpoint
from tfds_atari_replay.logs.episodes import read_episodes
from tfds_atari_replay.logs.joining import join_rings
from tfds_atari_replay.logs.records import Episode
from tfds_atari_replay.logs.runs import Gap, Run

BREAKOUT = GAMES["Breakout"]


def join(root: pathlib.Path, game: str = "Breakout", run: int = 1) -> Run:
    """Joins the run in a folder."""
    return join_rings(layouts.find_run(epath.Path(root), GAMES[game], run))


def read_run(run: Run) -> list[tuple[int, int, Truth]]:
    """Reads checkpoint, index and contents of each episode; shards are pickled as for workers."""
    return [
        (shard.number, episode.index, take(episode))
        for shard in pickle.loads(pickle.dumps(run.shards))
        for episode in shard.episodes(frames_at_once=7)
    ]


def take(episode: Episode) -> Truth:
    """Reads an episode with its frames."""
    frames = np.concatenate(list(episode.frames))
    return Truth(
        frames, episode.action, episode.reward, episode.ends_in_terminal, episode.starts_at_reset
    )


def assert_same(got: list[Truth], expected: list[Truth]) -> None:
    """Compares episodes completely, frames included."""
    assert [len(e.action) for e in got] == [len(e.action) for e in expected]
    for one, other in zip(got, expected, strict=True):
        for name in ("frames", "action", "reward"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.ends_in_terminal == other.ends_in_terminal
        assert one.starts_at_reset == other.starts_at_reset


CASES = {
    "episodes over several dumps": (60, [200, 7, 131, 61, 58, 59, 303, 1, 2]),
    "many episodes a dump": (200, [13, 14, 30, 1, 2, 40, 55, 9, 120, 33, 61, 62, 63, 8]),
    "one dump": (500, [100, 50]),
    "a first dump and a last one": (100, [60, 50]),
    "an episode that ends with a dump": (50, [46, 47, 50, 20]),
    "a last dump right after a dump": (50, [46, 30, 14]),
    "a last dump one row behind a dump": (50, [46, 30, 15]),
    "a last dump two rows behind a dump": (50, [46, 30, 16]),
    "laps that were never written": (22, [17, 80, 39, 10, 17, 22, 60]),
    "the first lap was never written": (22, [17, 60]),
    "the lap before the last dump was never written": (22, [39, 10]),
}


@pytest.mark.parametrize("last_is_cut", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_a_run_is_what_was_played(tmp_path: pathlib.Path, name: str, last_is_cut: bool) -> None:
    """Each step appears once, in whole, ordered episodes, in the shard of their first step."""
    capacity, lengths = CASES[name]
    truths = make_episodes(lengths, last_is_cut=last_is_cut)
    check_run(tmp_path, capacity, truths)
    is_whole = not join(tmp_path).gaps
    assert is_whole == ("never written" not in name)
    if is_whole:
        assert_same([episode for _, _, episode in read_run(join(tmp_path))], truths)
        # As one ring that is never full holds it.
        write_log(log_folder(tmp_path / "big"), 10_000, truths)
        (shard,) = join(tmp_path / "big").shards
        assert_same([take(episode) for episode in shard.episodes()], truths)


def check_run(
    root: pathlib.Path,
    capacity: int,
    truths: list[Truth],
    kept: Callable[[int], bool] = lambda _: True,
) -> None:
    """Compares a run with what its dumps hold together."""
    expected = write_run(log_folder(root), capacity, truths, kept)
    run = join(root)
    found = read_run(run)
    assert_same([e for _, _, e in found], [piece for held in expected for piece in held])
    indices = [index for _, index, _ in found]
    assert indices == sorted(set(indices))
    at_the_beginning = [gap for gap in run.gaps if gap.before == run.checkpoints[0]]
    assert len(run.gaps) - len(at_the_beginning) == len(expected) - 1
    assert bool(at_the_beginning) != (
        expected[0][0].frames[0, 0, 0] == 0 and expected[0][0].starts_at_reset
    )
    # The first step lies in the first checkpoint that has it.
    numbers: dict[bytes, int] = {}
    for files in layouts.find_run(epath.Path(root), BREAKOUT, 1):
        for episode in read_episodes(open_checkpoint(files)):
            for frame in np.concatenate(list(episode.frames)):
                numbers.setdefault(frame[0, :4].tobytes(), files.number)
    assert [n for n, _, _ in found] == [numbers[e.frames[0, 0, :4].tobytes()] for _, _, e in found]


@pytest.mark.parametrize("dropped", [{0}, {1}, {2, 3}, {0, 4}, {5}])
def test_missing_checkpoints_are_gaps(tmp_path: pathlib.Path, dropped: set[int]) -> None:
    """Episodes stay cut only at gaps, which say how many rows are lost, if known."""
    truths = make_episodes([13, 14, 90, 1, 2, 40, 55, 9, 120, 33, 61, 62, 63, 8])
    check_run(tmp_path, 60, truths, kept=lambda number: number not in dropped)
    numbers = {files.number for files in layouts.find_run(epath.Path(tmp_path), BREAKOUT, 1)}
    assert max(numbers) > 5
    gaps = join(tmp_path).gaps
    assert [number for gap in gaps for number in gap.missing] == sorted(dropped)


LENGTHS = st.lists(st.integers(1, 120), min_size=1, max_size=12)


@settings(max_examples=2 * settings().max_examples, deadline=None)
@given(
    capacity=st.integers(5, 70),
    lengths=LENGTHS,
    last_is_cut=st.booleans(),
    dropped=st.sets(st.integers(0, 20), max_size=3),
)
def test_any_rings_and_any_lengths(
    capacity: int, lengths: list[int], last_is_cut: bool, dropped: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        truths = make_episodes(lengths, last_is_cut=last_is_cut)
        _, counts = log(log_folder(root / "all"), capacity, truths)
        assume(not dropped >= set(range(len(counts))))
        check_run(root, capacity, truths, kept=lambda number: number not in dropped)


@settings(deadline=None)
@given(
    capacity=st.integers(5, 70),
    lengths=LENGTHS,
    black=st.dictionaries(st.integers(0, 11), st.integers(1, 6)),
)
def test_black_frames_look_like_padding(
    capacity: int, lengths: list[int], black: dict[int, int]
) -> None:
    """Black frames are data, wherever a dump cuts them."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        truths = make_episodes(lengths, black)
        write_log(log_folder(root), capacity, truths)
        run = join(root)
        assume(not run.gaps)
        assert_same([episode for _, _, episode in read_run(run)], truths)


def folder_with(tmp_path: pathlib.Path) -> pathlib.Path:
    """Writes the logs of a run of 6 dumps; returns their folder."""
    write_log(log_folder(tmp_path), 100, make_episodes([30, 80, 120, 60, 101, 77]))
    return log_folder(tmp_path)


def copy_dump(source: pathlib.Path, number: int, target: pathlib.Path, as_number: int) -> None:
    """Copies a dump under another number."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob(f"*_ckpt.{number}.gz"):
        shutil.copy(path, target / path.name.replace(f".{number}.", f".{as_number}."))


def test_what_is_not_one_run_is_refused(tmp_path: pathlib.Path) -> None:
    """The run is refused before frames are read; the message names both checkpoints."""
    logs = folder_with(tmp_path)
    copy_dump(logs, 2, log_folder(tmp_path / "twice"), 3)
    copy_dump(logs, 2, log_folder(tmp_path / "twice"), 2)
    with pytest.raises(
        ReplayLogError, match=r"checkpoint 3 has an add_count of 299; expected more"
    ):
        join(tmp_path / "twice")
    copy_dump(logs, 1, log_folder(tmp_path / "back"), 4)
    copy_dump(logs, 2, log_folder(tmp_path / "back"), 3)
    with pytest.raises(ReplayLogError, match=r"add_count of 199; expected more than the 299 of ch"):
        join(tmp_path / "back")
    write_log(log_folder(tmp_path / "small"), 50, make_episodes([100]))
    copy_dump(log_folder(tmp_path / "small"), 1, log_folder(tmp_path / "mixed"), 3)
    copy_dump(logs, 2, log_folder(tmp_path / "mixed"), 2)
    with pytest.raises(ReplayLogError, match="has 50 rows, checkpoint 2 of the same run 100"):
        join(tmp_path / "mixed")
    last = max(files.number for files in layouts.find_run(epath.Path(tmp_path), BREAKOUT, 1))
    copy_dump(logs, last, logs, 9)
    with pytest.raises(
        ReplayLogError, match=f"checkpoint {last} is a run's last dump, by its add_"
    ):
        join(tmp_path)


def test_damage_shows_before_frames_are_read(tmp_path: pathlib.Path) -> None:
    """Damage to small files or to the frames' header shows when checkpoints are joined."""
    logs = folder_with(tmp_path)
    path = logs / "$store$_reward_ckpt.2.gz"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ReplayLogError, match=r"reward_ckpt.2.gz is damaged"):
        join(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="checkpoint 2: no file for 'reward'"):
        join(tmp_path)


def test_files_that_changed_since_are_refused(tmp_path: pathlib.Path) -> None:
    """A shard checks its own checkpoint and the one in which its last episode ends."""
    logs = folder_with(tmp_path)
    run = join(tmp_path)
    path = logs / "$store$_action_ckpt.2.gz"
    os.utime(path, (1, 1))
    for number in (1, 2):
        with pytest.raises(ReplayLogError, match=r"action_ckpt.2.gz was changed while it was read"):
            list(run.shards[number].episodes())
    assert list(run.shards[3].episodes())


def test_the_last_dump_is_compared_by_its_frames_if_few_rows_repeat(tmp_path: pathlib.Path) -> None:
    """A few rows of actions and rewards may match by chance after an unwritten lap."""
    write_log(log_folder(tmp_path), 50, make_episodes([46, 30, 16]))
    run = join(tmp_path)
    assert (run.repeated, run.gaps) == (48, [])
    path = log_folder(tmp_path) / f"$store$_observation_ckpt.{run.checkpoints[-1]}.gz"
    frames = read_gz(path)
    frames[10, 50, 50] += 1
    write_gz(path, frames)
    assert join(tmp_path).gaps == [Gap(run.checkpoints[-1], (), None)]
    assert join(tmp_path).repeated == 0


def test_dummy_data() -> None:
    """The runs of dummy_data join with their gaps and repeated rows."""
    run = join(DUMMY_DATA)
    assert run.checkpoints == [0, 1, 10, 49, 50]
    assert run.gaps == [
        Gap(10, tuple(range(2, 10)), 8 * 1499),
        Gap(49, tuple(range(11, 49)), 38 * 1499),
    ]
    assert (run.capacity, run.repeated) == (1499, 689)
    assert join(DUMMY_DATA, "Asterix").gaps == []
    run = join(DUMMY_DATA, run=5)
    # Checkpoint 0 is not there, and a lap was never written.
    assert run.capacity == 1510
    assert run.gaps[0] == Gap(1, (0,), 2 * 1510 - 1)
