"""The frames of a checkpoint, streamed in constant memory."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable
from types import TracebackType
from typing import IO

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.logs.checkpoint import Checkpoint, Piece, open_array, read_array
from tfds_atari_replay.logs.npy import expect_end, read_into
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames

_AT_ONCE = 64


def read_frames(checkpoint: Checkpoint) -> Frames:
    """Reads all frames into memory, in the order of the file: uint8 (capacity, 84, 84).

    Raises:
      ReplayLogError: the file is damaged, unreadable or changed meanwhile.
    """
    frames = read_array(checkpoint.files, "observation", checkpoint.capacity)
    checkpoint.files.check_unchanged(checkpoint.stamps)
    return frames


def find_black_frames(checkpoint: Checkpoint, rows: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Reads all frames once, in the order of the file, and finds those that are zero throughout.

    Args:
      checkpoint: whose frames to read.
      rows: bool (capacity,), which frames to look at.

    Returns:
      bool (capacity,), True for those of them that are black.

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
    """Reads the frames of pieces in time order, a few at a time. A context manager.

    The oldest rows of a ring lie behind the newest, so a whole one is read in two passes. The first
    over each file goes to the very end, where gzip's checksum is compared; for a dump at the end of
    a lap, before the second frame is returned.
    """

    def __init__(self, pieces: Iterable[Piece]):
        self._segments = [
            _Segment(piece.checkpoint, rows, is_first_pass=not index)
            for piece in pieces
            for index, rows in enumerate(piece.rows)
        ]
        self._open_file = contextlib.ExitStack()
        self._stream: IO[bytes] | None = None
        self._row = 0  # the next in `_stream`
        self._peeked: Frames | None = None

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open_file.close()

    def peek(self) -> Frames:
        """Returns the next frame, uint8 (84, 84), without taking it."""
        if self._peeked is None:
            self._peeked = self.read(1)[0]
        return self._peeked

    def read(self, count: int) -> Frames:
        """Takes the next `count` frames, which must exist.

        Returns:
          uint8 (count, 84, 84), a new array.

        Raises:
          ReplayLogError: the file is damaged, unreadable or changed meanwhile.
        """
        frames = np.empty((count, *FRAME_SHAPE), np.uint8)
        done = 0
        if self._peeked is not None and count:
            frames[0], self._peeked, done = self._peeked, None, 1
        while done < count:
            segment = self._segments[0]
            with segment.checkpoint.files.reporting_damage("observation"):
                self._go_to(segment)
                taken = min(count - done, segment.rows.stop - self._row)
                self._fill(frames[done : done + taken])
                done += taken
                if self._row == segment.rows.stop:
                    self._end(segment)
        return frames

    def _go_to(self, segment: _Segment) -> None:
        if self._stream is None:
            files = segment.checkpoint.files
            self._stream, _ = self._open_file.enter_context(open_array(files, "observation"))
            self._row = 0
            self._skip_to(segment.rows.start)

    def _end(self, segment: _Segment) -> None:
        del self._segments[0]
        if segment.is_first_pass:
            self._skip_to(segment.checkpoint.capacity)
            assert self._stream is not None
            expect_end(self._stream)
        self._open_file.close()
        self._stream = None
        segment.checkpoint.files.check_unchanged(segment.checkpoint.stamps)

    def _skip_to(self, row: int) -> None:
        scratch = np.empty((_AT_ONCE, *FRAME_SHAPE), np.uint8)
        while self._row < row:
            self._fill(scratch[: row - self._row])

    def _fill(self, frames: Frames) -> None:
        assert self._stream is not None
        read_into(self._stream, frames.data.cast("B"))
        self._row += len(frames)
