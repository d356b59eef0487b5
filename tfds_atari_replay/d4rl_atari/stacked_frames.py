"""Stacks of frames that share the memory of the frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.envs.protocol import STACK_SIZE
from tfds_atari_replay.logs.records import Frames

# A tuple made once: this is checked at every index.
_INDEX_ARRAYS = (np.ndarray, list)


class StackedFrames(Sequence[Frames]):
    """N stacks of four frames in the memory of N frames.

    A row's stack is uint8 (4, 84, 84): the frames of the three rows before it and its own, with
    zeros for those before a terminal or before the first row. An integer index returns one stack,
    without a copy unless it has zeros; a slice, a list of stacks; an array of k integers, or of
    booleans, one array (k, 4, 84, 84).
    """

    def __init__(self, frames: Frames, terminals: npt.NDArray[np.uint8]):
        self._frames = frames
        # How many frames of a row's stack belong to its episode, up to four.
        known = np.full(len(frames), STACK_SIZE, np.uint8)
        for later in range(STACK_SIZE - 1, 0, -1):
            after_terminal = np.flatnonzero(terminals[: max(len(frames) - later, 0)]) + later
            known[after_terminal] = later
            if later <= len(frames):
                known[later - 1] = later
        # Bytes and a range: indexing them is faster than indexing arrays.
        self._known = known.tobytes()
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
            return [self[number] for number in row]
        known = self._known[row]
        if known == STACK_SIZE:
            return self._frames[row - STACK_SIZE + 1 : row + 1]
        stack = np.zeros((STACK_SIZE, *self._frames.shape[1:]), np.uint8)
        stack[STACK_SIZE - known :] = self._frames[row - known + 1 : row + 1]
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
        stacks = np.empty((len(rows), STACK_SIZE, *self._frames.shape[1:]), np.uint8)
        for number, row in enumerate(rows.tolist()):
            stacks[number] = self[row]
        return stacks
