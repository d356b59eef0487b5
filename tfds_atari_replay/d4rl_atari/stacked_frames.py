"""Stacks of frames that share the memory of the frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.envs.protocol import STACK_SIZE
from tfds_atari_replay.logs.records import Frames
from tfds_atari_replay.windows.stacking import Stacking, reach

_STACKING = Stacking(STACK_SIZE)

# A tuple made once: this is checked at every index.
_INDEX_ARRAYS = (np.ndarray, list)


class StackedFrames(Sequence[Frames]):
    """N stacks of four frames in the memory of N frames.

    A row's stack is uint8 (4, 84, 84): the frames of the three rows before it and its own, with
    zeros in place of rows up to the last terminal, and of rows before the first. An integer index
    returns one stack, which is a copy only if it has zeros; a slice returns a list of stacks; an
    array of k integers, or of N booleans, returns an array (k, 4, 84, 84).
    """

    def __init__(self, frames: Frames, terminals: npt.NDArray[np.uint8]):
        self._frames = frames
        rows = np.arange(len(frames))
        starts = np.where(np.append(True, terminals[:-1]), rows, 0)
        # Steps from the frame of zeros before the episode; from four on, a stack has no zeros.
        back = np.minimum(rows + 1 - np.maximum.accumulate(starts), STACK_SIZE)
        # Bytes and a range: indexing them is faster than indexing arrays.
        self._back = back.astype(np.uint8).tobytes()
        self._rows = range(len(frames))

    def __len__(self) -> int:
        return len(self._frames)

    @overload
    def __getitem__(self, index: int) -> Frames: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frames]: ...
    @overload
    def __getitem__(self, index: npt.NDArray[Any]) -> Frames: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, _INDEX_ARRAYS):
            return self._join(np.asarray(index))
        row = self._rows[index]  # accepts and refuses what a list would
        if isinstance(row, range):
            return [self[one] for one in row]
        back = self._back[row]
        frames = self._frames[row - back + 1 : row + 1]
        if back == STACK_SIZE:
            return frames
        stack = np.zeros(_STACKING.shape(self._frames.shape[1:]), np.uint8)
        stack[-back:] = frames
        return stack

    def __iter__(self) -> Iterator[Frames]:
        return (self[row] for row in range(len(self)))

    def _join(self, index: npt.NDArray[Any]) -> Frames:
        if index.dtype == np.bool_:
            if index.shape != (len(self),):
                raise IndexError(f"a mask must have shape ({len(self)},), got {index.shape}")
            index = np.flatnonzero(index)
        if index.ndim != 1 or (index.size and index.dtype.kind not in "iu"):
            raise IndexError(
                f"an index array must be integers (k,) or booleans, got {index.dtype} {index.shape}"
            )
        rows = np.where(index < 0, index + len(self), index)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"an index is out of range for {len(self)} stacks")
        rows = rows.astype(np.int64)[:, np.newaxis]
        back = np.frombuffer(self._back, np.uint8)[rows].astype(np.int64)
        offsets = reach(_STACKING.offsets, back)
        stacks: Frames = self._frames[rows + offsets]
        stacks[offsets == -back] = 0
        return stacks
