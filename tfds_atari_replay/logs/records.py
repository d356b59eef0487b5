"""The records read from logs: episodes, outlines of episodes, and plain rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

FRAME_SHAPE = (84, 84)

Frames = npt.NDArray[np.uint8]

Scalar = TypeVar("Scalar", bound=np.generic)


@dataclasses.dataclass(frozen=True)
class Episode:
    """An episode of T steps, or the piece of it that a checkpoint holds.

    Attributes:
      index: its position in time among the checkpoint's episodes, from 0.
      starts_at_reset: whether its first step follows a reset. If not, the steps before it are in an
        older checkpoint.
      ends_in_terminal: whether its last action ended it. If not, the checkpoint ends there. Also
        True where Dopamine cut an episode after 27,000 steps, which the logs do not tell apart.
      action: int32 (T,), taken at the frame.
      reward: float32 (T,), in [-1, 1], caused by the action.
      frames: yields the frames once, in order, as uint8 (n, 84, 84) with n at most the
        `frames_at_once` it was read with.
      has_terminal_frame: whether `frames` also yields the terminal state's frame. Dopamine never
        logged it; RL Unplugged has it.
    """

    index: int
    starts_at_reset: bool
    ends_in_terminal: bool
    action: npt.NDArray[np.int32] = dataclasses.field(repr=False)
    reward: npt.NDArray[np.float32] = dataclasses.field(repr=False)
    frames: Iterator[Frames] = dataclasses.field(repr=False)
    has_terminal_frame: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether it has all steps from reset to terminal."""
        return self.starts_at_reset and self.ends_in_terminal


@dataclasses.dataclass(frozen=True)
class Outline:
    """The E episodes of a checkpoint without their contents.

    Attributes:
      lengths: int64 (E,), steps of each.
      returns: float64 (E,), sums of clipped rewards.
      is_complete: bool (E,), whether each has all steps from reset to terminal.
      is_exact: False if the first rows may be padding or steps. Only their frames would show which,
        and these were not read.
    """

    lengths: npt.NDArray[np.int64]
    returns: npt.NDArray[np.float64]
    is_complete: npt.NDArray[np.bool_]
    is_exact: bool


@dataclasses.dataclass(frozen=True)
class Rows:
    """A checkpoint as N plain rows, in the order of its files.

    Attributes:
      frames: uint8 (N, 84, 84).
      action: int32 (N,).
      reward: float32 (N,), in [-1, 1].
      terminal: uint8 (N,).
    """

    frames: Frames
    action: npt.NDArray[np.int32]
    reward: npt.NDArray[np.float32]
    terminal: npt.NDArray[np.uint8]
