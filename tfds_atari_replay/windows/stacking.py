"""How frames are stacked: how many, along which axis, and with zeros before a reset.

A stack is the last `size` frames, oldest first, with zeros in place of frames before a reset. For
an episode with frames a b c and size=3:

  step   stack     back: steps from the frame of zeros before the episode
  a      0 0 a     1
  b      0 a b     2
  c      a b c     3
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = Any
"""A NumPy, PyTorch or JAX array, or a TensorFlow tensor."""


class Stacking(NamedTuple):
    """How frames are stacked.

    Attributes:
      size: frames in a stack.
      axis: the axis of the frames in a stack, 0 or -1.
    """

    size: int
    axis: int = 0

    def shape(self, frame_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape of a stack."""
        return (self.size, *frame_shape) if self.axis == 0 else (*frame_shape, self.size)

    @property
    def offsets(self) -> npt.NDArray[np.int32]:
        """The frames of a stack relative to the newest: ..., -2, -1, 0."""
        return np.arange(1 - self.size, 1, dtype=np.int32)

    def to_axis(self, stacks: Array, transpose: Callable[..., Array] = np.transpose) -> Array:
        """Moves the frames to their axis: a view in NumPy and PyTorch.

        Args:
          stacks: (..., size, height, width).
          transpose: the array library's function that permutes axes.
        """
        if self.axis == 0:
            return stacks
        count = len(stacks.shape)
        return transpose(stacks, (*range(count - 3), count - 2, count - 1, count - 3))

    def from_axis(self, stacks: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Undoes `to_axis`: a view (..., size, height, width)."""
        return stacks if self.axis == 0 else np.moveaxis(stacks, -1, -3)


def reach(offsets: Array, back: Array, maximum: Callable[..., Array] = np.maximum) -> Array:
    """Returns the frames of stacks relative to their steps, but never before the frame of zeros.

    Args:
      offsets: integers, from `Stacking.offsets`.
      back: integers, how many steps the frame of zeros before the episode lies back; anything from
        the stack's size on gives the same result. Broadcast with `offsets`.
      maximum: the array library's function.
    """
    return maximum(offsets, -back)


class LiveStacks:
    """The current stacks of several games being played."""

    def __init__(self, count: int, stacking: Stacking, frame_shape: tuple[int, ...]):
        self._stacking = stacking
        self._frames = np.zeros((count, stacking.size, *frame_shape), np.uint8)

    def start(self, chosen: Any, frames: npt.NDArray[np.uint8]) -> None:
        """Starts new episodes in some of the games.

        Args:
          chosen: the games, as a NumPy index.
          frames: the first frame of each, uint8 (..., height, width).
        """
        self._frames[chosen] = 0
        self._frames[chosen, -1] = frames

    def push(self, frames: npt.NDArray[np.uint8]) -> None:
        """Adds a frame to every game's stack, uint8 (count, height, width)."""
        self._frames[:, :-1] = self._frames[:, 1:]
        self._frames[:, -1] = frames

    @property
    def stacks(self) -> npt.NDArray[np.uint8]:
        """The stacks, uint8 (count, ...): a view that changes with the next frame."""
        stacks: npt.NDArray[np.uint8] = self._stacking.to_axis(self._frames)
        return stacks
