"""One checkpoint of a Dopamine replay log: its files, opened and checked.

A checkpoint is a dump of Dopamine's circular replay buffer: gzipped `.npy` files, one an array.
The arrays are a ring, not a list: `Checkpoint.time_order` says how to walk them. What the rows
mean is known to `episodes.py`. Nothing here needs TensorFlow.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import io
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from etils import epath
from isal import igzip, isal_zlib

from tfds_atari_replay.games import Game

FRAME_SHAPE = (84, 84)

_ARRAYS: Mapping[str, tuple[str, tuple[int, ...]]] = {
    # name: dtype, shape behind the capacity; as Dopamine's OutOfGraphReplayBuffer stores them.
    "observation": ("uint8", FRAME_SHAPE),
    "action": ("int32", ()),
    "reward": ("float32", ()),
    "terminal": ("uint8", ()),
}
ARRAY_NAMES = tuple(_ARRAYS)

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "dopamine": (*ARRAY_NAMES, "add_count"),
    "d4rl_atari": ARRAY_NAMES,
    "rl_unplugged": ("episodes",),
}

_READ_AT_ONCE = 2**20
# NumPy's own limit for the length of a header.
_MAX_HEADER = 10_000
# Deflate packs 258 bytes into 2 bits at best (zlib's technical details), so a file cannot hold more
# than this many times its size.
_MAX_RATIO = 1032
# A lap that ends inside an episode's padding is not dumped, so add_count may be some laps ahead of
# the checkpoint's number. More than this per checkpoint cannot come from play.
_MAX_LAPS_PER_CHECKPOINT = 100


class ReplayLogError(ValueError):
    """A replay log is damaged, or is not what its name says."""


class UnreadableLogError(ReplayLogError):
    """A file could not be read, or was changed meanwhile. That does not say that it is damaged."""


class DamageError(Exception):
    """What is wrong with one file; `naming` makes it a `ReplayLogError`, which says what file."""


# What reading a damaged file raises; isal does not say that its error is an exception.
_DAMAGE: Any = (DamageError, EOFError, gzip.BadGzipFile, isal_zlib.IsalError, zlib.error)


@dataclasses.dataclass(frozen=True)
class CheckpointFiles:
    """The files of one checkpoint.

    Attributes:
      game: the game that was played.
      run: 1 to 5 in the public logs.
      number: of the checkpoint, as in the file names.
      folder: where the files are.
      paths: file by array name: `observation`, `action`, `reward`, `terminal` and `add_count`,
        which d4rl-atari's cache leaves out. In RL Unplugged there is one, `episodes`.
      layout: `dopamine`, `d4rl_atari` or `rl_unplugged`.
      if_damaged: what to do about a damaged file, for its error's message.
    """

    game: Game
    run: int
    number: int
    folder: epath.Path
    paths: Mapping[str, epath.Path]
    layout: str = "dopamine"
    if_damaged: str = "Delete it and copy it again from where it came."

    @property
    def missing(self) -> list[str]:
        """The names of the files that are not there, though every copy of this layout has them.

        `add_count` is one of Dopamine's: an interrupted copy or recording lacks it, and without it
        nobody can say where the ring begins. d4rl-atari never copied it.
        """
        return [name for name in _NEEDED[self.layout] if name not in self.paths]

    def __str__(self) -> str:
        return f"{self.game.name} run {self.run} checkpoint {self.number}"


_Stamp: TypeAlias = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint. All but the frames is in memory and checked.

    Attributes:
      files: where it comes from.
      stamps: what tells each file, by name, from one that has taken its place since.
      capacity: rows in the ring; 1,000,000 in the public logs.
      add_count: how many rows were ever added, as logged: in a run's last dump it is the cursor.
        None in d4rl-atari's cache, which leaves it out; then a dump at a lap's end is assumed, in
        which the last row is the oldest or, in checkpoint 0, was never written.
      is_full: whether every row was written; if not, rows from the cursor on are garbage.
      action: int32 (capacity,), index into the game's actions.
      reward: float32 (capacity,); the logger clips to [-1, 1].
      terminal: bool (capacity,).
    """

    files: CheckpointFiles
    stamps: Mapping[str, _Stamp] = dataclasses.field(repr=False)
    capacity: int
    add_count: int | None
    is_full: bool
    action: npt.NDArray[np.int32] = dataclasses.field(repr=False)
    reward: npt.NDArray[np.float32] = dataclasses.field(repr=False)
    terminal: npt.NDArray[np.bool_] = dataclasses.field(repr=False)

    @property
    def cursor(self) -> int:
        """The row that would have been written next."""
        # Without add_count: as in a dump at a lap's end.
        return (self.capacity - 1 if self.add_count is None else self.add_count) % self.capacity

    @property
    def time_order(self) -> tuple[slice, ...]:
        """The rows that hold data, in the order in which they were written.

        In a full ring the row at the cursor is the oldest: with capacity 5 and cursor 3, rows
        3 4 0 1 2. If not full: rows 0 1 2.
        """
        newest = slice(0, self.cursor)
        return (slice(self.cursor, self.capacity), newest) if self.is_full else (newest,)

    def check_unchanged(self) -> None:
        """Checks that the files are those that were opened, all of them, as they were.

        A checkpoint is several files, and its frames are read in two passes: a copy that goes on
        meanwhile would mix two checkpoints, each of its files whole.

        Raises:
          ReplayLogError: a file was changed or replaced.
        """
        for name, stamp in self.stamps.items():
            if _stamp_of(self.files, name) != stamp:
                raise UnreadableLogError(
                    f"{self.files}: {self.files.paths[name]} was changed while it was read. Run "
                    "again when nothing writes to it any more."
                )


def open_checkpoint(files: CheckpointFiles) -> Checkpoint:
    """Reads the small arrays whole, of the frames the header, and checks what can be checked.

    Raises:
      FileNotFoundError: a file is missing.
      ReplayLogError: a file is cut short, damaged or not an array of Dopamine's logger; arrays
        differ in length; values are impossible. The message names the file.
    """
    if files.missing:
        raise FileNotFoundError(
            f"{files}: no file for {files.missing[0]!r} in {files.folder}, only for "
            f"{', '.join(sorted(files.paths)) or 'nothing'}. A checkpoint needs "
            f"{', '.join(_NEEDED[files.layout])}; copy the missing file there."
        )
    stamps = {name: _stamp_of(files, name) for name in files.paths}
    with naming(files, "observation"), _open_array(files, "observation") as (_, shape):
        capacity = shape[0]
    arrays = {name: _read_array(files, name, capacity) for name in _ARRAYS if name != "observation"}
    add_count, is_full = _read_add_count(files, capacity)
    checkpoint = Checkpoint(
        files, stamps, capacity, add_count, is_full, *(arrays[name] for name in arrays)
    )
    _check_values(checkpoint)
    return dataclasses.replace(checkpoint, terminal=arrays["terminal"].astype(np.bool_))


def _read_add_count(files: CheckpointFiles, capacity: int) -> tuple[int | None, bool]:
    if "add_count" not in files.paths:
        return None, files.number > 0
    with naming(files, "add_count"):
        with _open_npy(files.paths["add_count"]) as (stream, dtype, shape):
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
        # The run's last dump holds only the cursor; there the ring is full all the same.
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
                with naming(files, name):
                    raise DamageError(f"expected {expected}, got {array[row]} in row {row:,}")


def read_frames(checkpoint: Checkpoint) -> npt.NDArray[np.uint8]:
    """Reads all frames into memory, in the order of the file.

    Returns:
      uint8 (capacity, 84, 84).

    Raises:
      ReplayLogError: the file is cut short or damaged.
    """
    frames = _read_array(checkpoint.files, "observation", checkpoint.capacity)
    checkpoint.check_unchanged()
    return frames


def find_black_frames(checkpoint: Checkpoint, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Reads all frames once, in the order of the file and in constant memory.

    Args:
      checkpoint: whose frames.
      rows: bool (capacity,), the frames to look at.

    Returns:
      bool (capacity,), which of them are zero throughout.

    Raises:
      ReplayLogError: the file is cut short or damaged, be it in its last byte.
    """
    black = np.zeros(checkpoint.capacity, np.bool_)
    frames = np.empty((64, *FRAME_SHAPE), np.uint8)
    files = checkpoint.files
    with naming(files, "observation"), _open_array(files, "observation") as (stream, _):
        for start in range(0, checkpoint.capacity, len(frames)):
            piece = frames[: checkpoint.capacity - start]
            _read_into(stream, piece.data.cast("B"))
            for row in np.flatnonzero(rows[start : start + len(piece)]):
                black[start + row] = not piece[row].any()
        expect_end(stream)
    checkpoint.check_unchanged()
    return black


class FrameReader:
    """Reads a checkpoint's frames in time order, some at a time, in constant memory.

    A context manager. Its first pass over the file goes to the very end, so that the checksum is
    always compared; in a dump at the end of a lap that is before the second frame is given.
    """

    def __init__(self, checkpoint: Checkpoint):
        self._checkpoint = checkpoint
        self._files = checkpoint.files
        self._capacity = checkpoint.capacity
        self._segments = [rows for rows in checkpoint.time_order if rows.start < rows.stop]
        self._is_first_pass = True
        self._open_file = contextlib.ExitStack()
        self._stream: IO[bytes] | None = None
        self._row = 0  # that `_stream` gives next
        self._peeked: npt.NDArray[np.uint8] | None = None

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open_file.close()

    def peek(self) -> npt.NDArray[np.uint8]:
        """The next frame, uint8 (84, 84), without taking it."""
        if self._peeked is None:
            self._peeked = self.read(1)[0]
        return self._peeked

    def read(self, count: int) -> npt.NDArray[np.uint8]:
        """Takes the next frames; there must be as many.

        Returns:
          uint8 (count, 84, 84), a new array.

        Raises:
          ReplayLogError: the file is cut short or damaged.
        """
        frames = np.empty((count, *FRAME_SHAPE), np.uint8)
        done = 0
        if self._peeked is not None and count:
            frames[0], self._peeked, done = self._peeked, None, 1
        with naming(self._files, "observation"):
            while done < count:
                segment = self._segments[0]
                if self._stream is None:
                    self._stream, _ = self._open_file.enter_context(
                        _open_array(self._files, "observation")
                    )
                    self._row = 0
                    self._skip_to(segment.start)
                taken = min(count - done, segment.stop - self._row)
                self._fill(frames[done : done + taken])
                done += taken
                if self._row == segment.stop:
                    self._end_segment()
        return frames

    def _end_segment(self) -> None:
        del self._segments[0]
        if self._is_first_pass:
            self._skip_to(self._capacity)
            assert self._stream is not None
            expect_end(self._stream)
            self._is_first_pass = False
        self._open_file.close()
        self._stream = None
        self._checkpoint.check_unchanged()

    def _skip_to(self, row: int) -> None:
        scratch = np.empty((64, *FRAME_SHAPE), np.uint8)
        while self._row < row:
            self._fill(scratch[: row - self._row])

    def _fill(self, frames: npt.NDArray[np.uint8]) -> None:
        assert self._stream is not None
        _read_into(self._stream, frames.data.cast("B"))
        self._row += len(frames)


@contextlib.contextmanager
def naming(files: CheckpointFiles, name: str) -> Iterator[None]:
    """Turns what goes wrong with a file into an error that names it."""
    try:
        yield
    except _DAMAGE as error:
        raise ReplayLogError(
            f"{files}: {files.paths[name]} is damaged or not a log: {error}. {files.if_damaged}"
        ) from error
    except OSError as error:
        raise UnreadableLogError(
            f"{files}: {files.paths[name]} cannot be read: {error.strerror or error}. Expected a "
            "file that this user may read."
        ) from error


@contextlib.contextmanager
def open_gzip(path: epath.Path) -> Iterator[IO[bytes]]:
    """Opens a gzip file. ISA-L unpacks 4 times as fast as zlib."""
    with path.open("rb") as file, igzip.open(file) as stream:  # type: ignore[no-untyped-call]
        yield stream


def _stamp_of(files: CheckpointFiles, name: str) -> _Stamp:
    path = files.paths[name]
    with naming(files, name):
        if "://" in os.fspath(path):
            stat = path.stat()
            return stat.length, stat.mtime
        found = os.stat(path)
        return found.st_ino, found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def _open_npy(path: epath.Path) -> Iterator[tuple[IO[bytes], np.dtype[Any], tuple[int, ...]]]:
    """Opens a gzipped .npy, read up to its data."""
    with open_gzip(path) as stream:
        shape, dtype = _read_header(stream)
        promised, most = dtype.itemsize * math.prod(shape), _MAX_RATIO * path.stat().length
        if promised > most:
            raise DamageError(
                f"its header promises {promised:,} bytes, but a gzip file of its size holds at "
                f"most {most:,}"
            )
        yield stream, dtype, shape


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    magic = stream.read(8)
    lengths = {b"\x93NUMPY\x01\x00": 2, b"\x93NUMPY\x02\x00": 4}
    if magic not in lengths:
        raise DamageError(f"expected a .npy array of version 1 or 2, it begins {magic!r}")
    length = read_exactly(stream, lengths[magic])
    size = int.from_bytes(length, "little")
    if size > _MAX_HEADER:
        raise DamageError(
            f"its .npy header is {size:,} bytes long, expected {_MAX_HEADER:,} at most"
        )
    header = io.BytesIO(length + read_exactly(stream, size))
    read = (
        np.lib.format.read_array_header_1_0
        if len(length) == 2
        else np.lib.format.read_array_header_2_0
    )
    try:
        shape, is_fortran, dtype = read(header)
    except Exception as error:  # What NumPy's parser raises depends on the nonsense it is given.
        raise DamageError(f"its .npy header cannot be read: {error}") from error
    if dtype.hasobject:
        raise DamageError("expected numbers, got pickled objects, which are never loaded")
    if is_fortran and len(shape) > 1:
        raise DamageError("expected rows in C order, got Fortran order")
    if any(size < 0 for size in shape):
        raise DamageError(f"expected a shape of positive numbers, got {shape}")
    return shape, dtype


@contextlib.contextmanager
def _open_array(
    files: CheckpointFiles, name: str, capacity: int | None = None
) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """Opens one of the four arrays; refuses another dtype, shape or length."""
    dtype, row_shape = _ARRAYS[name]
    with _open_npy(files.paths[name]) as (stream, got_dtype, shape):
        if got_dtype != np.dtype(dtype) or not shape or shape[1:] != row_shape or not shape[0]:
            expected = ", ".join(["capacity", *map(str, row_shape)])
            raise DamageError(f"expected {dtype} ({expected}), got {got_dtype} {shape}")
        if capacity is not None and shape[0] != capacity:
            raise DamageError(f"it has {shape[0]:,} rows, 'observation' has {capacity:,}")
        yield stream, shape


def _read_array(files: CheckpointFiles, name: str, capacity: int) -> npt.NDArray[Any]:
    with naming(files, name), _open_array(files, name, capacity) as (stream, shape):
        array = np.empty(shape, _ARRAYS[name][0])
        _read_into(stream, array.data.cast("B"))
        expect_end(stream)
    return array


def read_exactly(stream: IO[bytes], size: int) -> bytes:
    """Reads so many bytes; a `DamageError` if there are fewer. Memory grows with what there is."""
    data = bytearray()
    while len(data) < size:
        piece = stream.read(min(size - len(data), _READ_AT_ONCE))
        if not piece:
            raise DamageError(f"{size - len(data):,} bytes are missing at its end")
        data += piece
    return bytes(data)


def _read_into(stream: IO[bytes], view: memoryview) -> None:
    done = 0
    while done < len(view):
        # In pieces, since igzip makes bytes of what it reads before it copies them.
        piece = view[done : done + _READ_AT_ONCE]
        got = stream.readinto(piece)  # type: ignore[attr-defined]
        if not got:
            raise DamageError(f"its header promises {len(view) - done:,} bytes more than it holds")
        done += got


def expect_end(stream: IO[bytes]) -> None:
    """Reads past the data's end, where gzip compares its checksum."""
    if stream.read(1):
        raise DamageError("expected the file to end with its array, got more bytes")
