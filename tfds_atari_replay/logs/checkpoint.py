"""One checkpoint of a Dopamine replay log: a ring buffer, dumped as gzipped .npy files.

The arrays are a ring: `Checkpoint.time_order` says in which order the rows were written.
`episodes.py` interprets the rows.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.files import CheckpointFiles, Stamps
from tfds_atari_replay.logs.npy import expect_end, open_npy, read_exactly, read_into
from tfds_atari_replay.logs.records import FRAME_SHAPE, Scalar

ARRAYS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "observation": ("uint8", FRAME_SHAPE),
    "action": ("int32", ()),
    "reward": ("float32", ()),
    "terminal": ("uint8", ()),
}
"""By name, dtype and shape of a row, as Dopamine's OutOfGraphReplayBuffer stores them."""

ARRAY_NAMES = tuple(ARRAYS)

# A lap that ends inside an episode's padding is not dumped, so add_count may run some laps ahead of
# the checkpoint's number. More than this many laps per checkpoint cannot come from play.
_MAX_LAPS_PER_CHECKPOINT = 100


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A ring of rows. Everything but the frames is in memory and checked.

    Attributes:
      files: where it comes from.
      stamps: as of when it was opened; see `CheckpointFiles.check_unchanged`.
      capacity: rows in the ring; 1,000,000 in the public logs.
      add_count: rows ever added, as logged; in a run's last dump only the cursor. None in
        d4rl-atari's cache, which leaves it out: then a dump at the end of a lap is assumed, in
        which the last row is the oldest or, in checkpoint 0, was never written.
      is_full: whether every row was written; if not, rows from the cursor on are garbage.
      action: int32 (capacity,), indices into the game's actions.
      reward: float32 (capacity,), clipped to [-1, 1] by the logger.
      terminal: bool (capacity,).
    """

    files: CheckpointFiles
    stamps: Stamps = dataclasses.field(repr=False)
    capacity: int
    add_count: int | None
    is_full: bool
    action: npt.NDArray[np.int32] = dataclasses.field(repr=False)
    reward: npt.NDArray[np.float32] = dataclasses.field(repr=False)
    terminal: npt.NDArray[np.bool_] = dataclasses.field(repr=False)

    @property
    def cursor(self) -> int:
        """The row that would have been written next."""
        return (self.capacity - 1 if self.add_count is None else self.add_count) % self.capacity

    @property
    def time_order(self) -> tuple[slice, ...]:
        """The rows with data, in the order in which they were written.

        In a full ring the row at the cursor is the oldest: with capacity 5 and cursor 3, rows
        3 4 0 1 2. If the ring is not full: rows 0 1 2.
        """
        newest = slice(0, self.cursor)
        return (slice(self.cursor, self.capacity), newest) if self.is_full else (newest,)

    @property
    def num_rows(self) -> int:
        """How many rows have data."""
        return self.capacity if self.is_full else self.cursor

    @property
    def is_last_dump(self) -> bool:
        """Whether `add_count` is only the cursor, as it is in a run's last dump."""
        return (
            self.add_count is not None and self.files.number > 0 and self.add_count < self.capacity
        )

    def in_time_order(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Returns an array's rows, oldest first, without those never written."""
        return np.concatenate([array[rows] for rows in self.time_order])


@dataclasses.dataclass(frozen=True)
class Piece:
    """Some of a checkpoint's rows: `start` to `stop`, counted in time order from the oldest."""

    checkpoint: Checkpoint
    start: int
    stop: int

    @property
    def rows(self) -> Iterator[slice]:
        """The slices of the files that hold these rows, in time order."""
        passed = 0
        for rows in self.checkpoint.time_order:
            start = max(rows.start, rows.start + self.start - passed)
            stop = min(rows.stop, rows.start + self.stop - passed)
            if start < stop:
                yield slice(start, stop)
            passed += rows.stop - rows.start

    def take(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Takes these rows of one of the checkpoint's arrays, oldest first."""
        return self.checkpoint.in_time_order(array)[self.start : self.stop]


def open_checkpoint(files: CheckpointFiles) -> Checkpoint:
    """Reads and checks the small arrays and the header of the frames.

    Raises:
      ReplayLogError: a file is cut short, damaged, unreadable or not an array of Dopamine's logger;
        arrays differ in length; values are impossible. The message names the file.
    """
    stamps = files.stamps()
    with files.reporting_damage("observation"), open_array(files, "observation") as (_, shape):
        capacity = shape[0]
    arrays = {name: read_array(files, name, capacity) for name in ARRAYS if name != "observation"}
    add_count, is_full = _read_add_count(files, capacity)
    checkpoint = Checkpoint(files, stamps, capacity, add_count, is_full, **arrays)
    _check_values(checkpoint)
    return dataclasses.replace(checkpoint, terminal=arrays["terminal"].astype(np.bool_))


@contextlib.contextmanager
def open_array(
    files: CheckpointFiles, name: str, capacity: int | None = None
) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """Opens one of the four arrays; yields the stream, at its data, and the shape.

    Raises:
      DamageError: it has a different dtype, shape or length.
    """
    dtype, row_shape = ARRAYS[name]
    with open_npy(files.paths[name]) as (stream, got_dtype, shape):
        if got_dtype != np.dtype(dtype) or not shape or shape[1:] != row_shape or not shape[0]:
            expected = ", ".join(["capacity", *map(str, row_shape)])
            raise DamageError(f"expected {dtype} ({expected}), got {got_dtype} {shape}")
        if capacity is not None and shape[0] != capacity:
            raise DamageError(f"it has {shape[0]:,} rows, 'observation' has {capacity:,}")
        yield stream, shape


def read_array(files: CheckpointFiles, name: str, capacity: int) -> npt.NDArray[Any]:
    """Reads one of the four arrays into memory.

    Raises:
      ReplayLogError: the file is damaged or unreadable.
    """
    with files.reporting_damage(name), open_array(files, name, capacity) as (stream, shape):
        array = np.empty(shape, ARRAYS[name][0])
        read_into(stream, array.data.cast("B"))
        expect_end(stream)
    return array


def _read_add_count(files: CheckpointFiles, capacity: int) -> tuple[int | None, bool]:
    if "add_count" not in files.paths:
        return None, files.number > 0
    with files.reporting_damage("add_count"):
        with open_npy(files.paths["add_count"]) as (stream, dtype, shape):
            if shape != () or dtype.kind not in "iu":
                raise DamageError(f"expected one integer, got {dtype} {shape}")
            add_count = int(np.frombuffer(read_exactly(stream, dtype.itemsize), dtype)[0])
            expect_end(stream)
        limit = capacity * (files.number + 1) * _MAX_LAPS_PER_CHECKPOINT
        if not 0 <= add_count <= limit:
            raise DamageError(
                f"expected a count of rows between 0 and {limit:,} (capacity {capacity:,}, "
                f"{_MAX_LAPS_PER_CHECKPOINT} laps a checkpoint), got {add_count:,}"
            )
        # A run's last dump holds only the cursor; its ring is full all the same.
        is_full = add_count >= capacity or files.number > 0
        if not is_full and not add_count:
            raise DamageError("expected at least one row, got a buffer that nothing was added to")
    return add_count, is_full


def _check_values(checkpoint: Checkpoint) -> None:
    files = checkpoint.files
    actions = len(files.game.actions)
    for name, array, is_good, expected in (
        (
            "action",
            checkpoint.action,
            (checkpoint.action >= 0) & (checkpoint.action < actions),
            f"0 to {actions - 1}, {files.game.name}'s {actions} actions (another game's log?)",
        ),
        ("reward", checkpoint.reward, np.isfinite(checkpoint.reward), "finite numbers"),
        ("terminal", checkpoint.terminal, checkpoint.terminal <= 1, "0 or 1"),
    ):
        for rows in checkpoint.time_order:
            bad = np.flatnonzero(~is_good[rows])
            if len(bad):
                row = rows.start + int(bad[0])
                with files.reporting_damage(name):
                    raise DamageError(f"expected {expected}, got {array[row]} in row {row:,}")
