"""The frames of a checkpoint, streamed in constant memory."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.logs.checkpoint import Checkpoint, Piece, open_array, read_array
from tfds_atari_replay.logs.errors import ReplayLogError
from tfds_atari_replay.logs.npy import expect_end, read_into
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames
from tfds_atari_replay.threads import run_ahead

_AT_ONCE = 128

# Arrays of _AT_ONCE frames that are unpacked ahead of their use: 5 MB.
_ARRAYS_AHEAD = 6


def read_frames(checkpoint: Checkpoint) -> Frames:
    """Reads all frames into memory, in the order of the file: uint8 (capacity, 84, 84).

    Raises:
      ReplayLogError: the file is damaged, unreadable or changed meanwhile.
    """
    frames = read_array(checkpoint.files, "observation", checkpoint.capacity)
    checkpoint.files.check_unchanged(checkpoint.stamps)
    return frames


def find_black_frames(checkpoint: Checkpoint, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Reads the whole file of frames once, and finds frames that are zero throughout.

    Args:
      checkpoint: whose frames to read.
      rows: bool (capacity,), which frames to look at.

    Returns:
      bool (capacity,), True for frames that were looked at and are black.

    Raises:
      ReplayLogError: the file is damaged, down to its last byte, unreadable or changed meanwhile.
    """
    black = np.zeros(checkpoint.capacity, np.bool_)
    frames = np.empty((_AT_ONCE, *FRAME_SHAPE), np.uint8)
    files = checkpoint.files
    with files.reporting_damage("observation"), open_array(files, "observation") as (stream, _):
        for start in range(0, checkpoint.capacity, _AT_ONCE):
            piece = frames[: checkpoint.capacity - start]
            read_into(stream, piece.data.cast("B"))
            for row in np.flatnonzero(rows[start : start + len(piece)]):
                black[start + row] = not piece[row].any()
        expect_end(stream)
    checkpoint.files.check_unchanged(checkpoint.stamps)
    return black


@dataclasses.dataclass(frozen=True)
class _Segment:
    """Consecutive rows of a file."""

    checkpoint: Checkpoint
    rows: slice
    is_first_pass: bool


class FrameReader:
    """Reads the frames of pieces in time order, a few at a time.

    In a ring's file the oldest rows follow the newest, so a whole ring is read in two passes. The
    first pass over a file goes to its end, where gzip's checksum is compared; for a dump at the end
    of a lap, this is before the first frame is returned. A thread unpacks the files some frames
    ahead, and ends when this reader is no longer used.
    """

    def __init__(self, pieces: Iterable[Piece]):
        segments = [
            _Segment(piece.checkpoint, rows, is_first_pass=not index)
            for piece in pieces
            for index, rows in enumerate(piece.rows)
        ]
        self._arrays = run_ahead(
            itertools.chain.from_iterable(map(_read_segment, segments)), _ARRAYS_AHEAD
        )
        self._next = np.empty((0, *FRAME_SHAPE), np.uint8)

    def peek(self) -> Frames:
        """Returns the next frame, uint8 (84, 84), without taking it."""
        if not len(self._next):
            self._next = next(self._arrays)
        frame: Frames = self._next[0]
        return frame

    def read(self, most: int) -> Frames:
        """Takes the next frames; there must be at least one.

        Returns:
          uint8 (n, 84, 84), with n from 1 to `most`.

        Raises:
          ReplayLogError: the file is damaged, unreadable or changed meanwhile.
        """
        self.peek()
        frames, self._next = self._next[:most], self._next[most:]
        return frames


def _read_segment(segment: _Segment) -> Iterator[Frames]:
    """Yields a segment's frames; in a first pass, the last of them once the file is checked."""
    files, rows = segment.checkpoint.files, segment.rows
    frames = np.empty((0, *FRAME_SHAPE), np.uint8)
    try:
        with files.reporting_damage("observation"), open_array(files, "observation") as (stream, _):
            _skip(stream, rows.start)
            for start in range(rows.start, rows.stop, _AT_ONCE):
                if len(frames):
                    yield frames
                frames = np.empty((min(_AT_ONCE, rows.stop - start), *FRAME_SHAPE), np.uint8)
                read_into(stream, frames.data.cast("B"))
            if segment.is_first_pass:
                _skip(stream, segment.checkpoint.capacity - rows.stop)
                expect_end(stream)
    except ReplayLogError:
        files.check_unchanged(segment.checkpoint.stamps)  # What was changed may look damaged.
        raise
    files.check_unchanged(segment.checkpoint.stamps)
    yield frames


def _skip(stream: IO[bytes], rows: int) -> None:
    frames = np.empty((_AT_ONCE, *FRAME_SHAPE), np.uint8)
    for start in range(0, rows, _AT_ONCE):
        read_into(stream, frames[: rows - start].data.cast("B"))
