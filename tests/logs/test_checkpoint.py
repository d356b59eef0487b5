"""Arrays of a checkpoint that Dopamine's logger cannot have written are refused."""

import itertools
import pathlib

import numpy as np
import pytest
from helpers.damage import assert_refused, changed, with_value
from helpers.logs import open_log, read_gz, write_gz

from tfds_atari_replay import GAMES, ReplayLogError
from tfds_atari_replay.logs.checkpoint import Checkpoint, Piece
from tfds_atari_replay.logs.files import CheckpointFiles
from tfds_atari_replay.logs.layouts.dopamine import DopamineLayout

DAMAGES = {
    "dtype of the frames": (
        changed("observation", lambda a: a.astype(np.int16)),
        r"expected uint8 \(capacity, 84, 84\), got int16 \(40, 84, 84\)",
    ),
    "dtype of the actions": (
        changed("action", lambda a: a.astype(np.int64)),
        r"expected int32 \(capacity\), got int64 \(40,\)",
    ),
    "byte order": (
        changed("reward", lambda a: a.astype(">f4")),
        r"expected float32 \(capacity\), got >f4 \(40,\)",
    ),
    "shape": (
        changed("observation", lambda a: a[:, :80]),
        r"expected uint8 \(capacity, 84, 84\), got uint8 \(40, 80, 84\)",
    ),
    "no rows": (changed("observation", lambda a: a[:0]), r"got uint8 \(0, 84, 84\)"),
    "unequal lengths": (
        changed("terminal", lambda a: a[:-1]),
        "terminal.*it has 39 rows, 'observation' has 40",
    ),
    "reward NaN": (
        changed("reward", with_value(7, np.nan)),
        "reward.*expected finite numbers, got nan in row 7",
    ),
    "terminal 2": (changed("terminal", with_value(9, 2)), "expected 0 or 1, got 2 in row 9"),
    "action of another game": (
        changed("action", with_value(-1, 4)),
        r"expected 0 to 3, Breakout's 4 actions \(another game's log\?\), got 4 in row 39",
    ),
    "action negative": (changed("action", with_value(0, -1)), "got -1 in row 0"),
    "add_count negative": (
        changed("add_count", lambda _: np.array(-1)),
        "add_count.*expected a count of rows between 0 and 8,000 .*, got -1",
    ),
    "add_count absurd": (changed("add_count", lambda _: np.array(10**12)), "got 1,000,000,000,000"),
    "add_count no integer": (
        changed("add_count", lambda _: np.array(3.5)),
        r"expected one integer, got float64 \(\)",
    ),
    "add_count an array": (
        changed("add_count", lambda _: np.array([1, 2])),
        r"expected one integer, got int64 \(2,\)",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_refused(log: pathlib.Path, name: str) -> None:
    assert_refused(log, *DAMAGES[name])


def test_an_empty_first_checkpoint_is_refused(log: pathlib.Path) -> None:
    """A buffer to which nothing was added holds no steps."""
    write_gz(log / "add_count_ckpt.0.gz", np.array(0))
    with pytest.raises(ReplayLogError, match="expected at least one row"):
        open_log(log.parents[2], "Breakout", 1, 0)


def test_values_outside_the_data_are_not_checked(log: pathlib.Path) -> None:
    """In checkpoint 0 the row at the cursor is garbage and may hold anything."""
    path = log / "$store$_action_ckpt.0.gz"
    write_gz(path, with_value(-1, -(2**31))(read_gz(path)))
    open_log(log.parents[2], "Breakout", 1, 0)


def ring(capacity: int, add_count: int | None, number: int) -> Checkpoint:
    """A checkpoint whose rows are numbered as they lie in the file."""
    rows = np.arange(capacity)
    is_full = number > 0 or (add_count is not None and add_count >= capacity)
    files = CheckpointFiles(GAMES["Breakout"], 1, number, DopamineLayout(), "", {})
    return Checkpoint(files, {}, capacity, add_count, is_full, rows, rows, rows)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("add_count", "number", "in_time_order", "is_last_dump"),
    [
        (4, 0, [0, 1, 2, 3], False),  # the first lap: the last row was never written
        (9, 1, [4, 0, 1, 2, 3], False),  # later laps: the last row is the oldest
        (8, 0, [3, 4, 0, 1, 2], False),  # the first lap was not dumped
        (2, 0, [0, 1], False),
        (3, 7, [3, 4, 0, 1, 2], True),
        (0, 7, [0, 1, 2, 3, 4], True),
        (None, 0, [0, 1, 2, 3], False),  # d4rl-atari's cache, taken for dumps at the end of a lap
        (None, 1, [4, 0, 1, 2, 3], False),
    ],
)
def test_rows_in_time_order(
    add_count: int | None, number: int, in_time_order: list[int], is_last_dump: bool
) -> None:
    """A piece of a ring is the slices of the file that hold it."""
    checkpoint = ring(5, add_count, number)
    assert checkpoint.in_time_order(checkpoint.action).tolist() == in_time_order
    assert checkpoint.num_rows == len(in_time_order)
    assert checkpoint.is_last_dump == is_last_dump
    for start in range(len(in_time_order) + 1):
        for stop in range(start, len(in_time_order) + 1):
            piece = Piece(checkpoint, start, stop)
            assert piece.take(checkpoint.action).tolist() == in_time_order[start:stop]
            slices = [checkpoint.action[rows].tolist() for rows in piece.rows]
            assert all(slices)
            assert list(itertools.chain(*slices)) == in_time_order[start:stop]
