"""A checkpoint's rows as episodes in time order.

The only place that knows rings, zero rows and borders. Source of the facts: games played through
Dopamine's replay buffer and batch_rl's logger, compared with the files they wrote.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.replay_logs import Checkpoint, FrameReader

_Scalar = TypeVar("_Scalar", bound=np.generic)

PADDING_ROWS = 3
"""Zero rows that Dopamine adds before each episode: its stack size less one."""


@dataclasses.dataclass(frozen=True)
class Episode:
    """An episode, or the piece of one that a checkpoint holds, of T steps.

    Attributes:
      index: its place in time among the checkpoint's episodes, from 0.
      starts_at_reset: whether its first step is the first after a reset. If not, the steps before
        are in the checkpoint before.
      ends_in_terminal: whether its last action ended it. If not, the checkpoint ends there.
        Dopamine sets it too where it cut an episode after 27,000 steps; the logs do not tell.
      action: int32 (T,), taken at the frame.
      reward: float32 (T,), in [-1, 1], that came from the action.
      frames: gives the frames once, in order, as uint8 (n, 84, 84), n at most `frames_at_once`. The
        frame after the last action was never logged.
    """

    index: int
    starts_at_reset: bool
    ends_in_terminal: bool
    action: npt.NDArray[np.int32] = dataclasses.field(repr=False)
    reward: npt.NDArray[np.float32] = dataclasses.field(repr=False)
    frames: Iterator[npt.NDArray[np.uint8]] = dataclasses.field(repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether it holds all steps from reset to terminal."""
        return self.starts_at_reset and self.ends_in_terminal


def read_episodes(checkpoint: Checkpoint, frames_at_once: int = 64) -> Iterator[Episode]:
    """Gives the episodes of a checkpoint, oldest first.

    Every row is in just one episode, but for Dopamine's padding. Frames are streamed: those of an
    episode must be taken before the next episode is asked for; what is not taken is skipped.

    Padding are the zero rows before an episode, at most three: a fourth is a black frame. At the
    checkpoint's beginning they say that an episode starts there; without any, the rows are the rest
    of an episode whose beginning an older checkpoint holds. (Where a lap ended just after the
    padding, no file says that the episode starts here; it is taken for the rest of one.)

    Args:
      checkpoint: where to read.
      frames_at_once: how many frames `Episode.frames` gives at a time.

    Raises:
      ReplayLogError: while reading, if the file of the frames is damaged.
    """
    action = _in_time_order(checkpoint, checkpoint.action)
    reward = _in_time_order(checkpoint, checkpoint.reward)
    terminal = _in_time_order(checkpoint, checkpoint.terminal)
    may_be_padding = (action == 0) & (reward == 0) & ~terminal
    ends = iter([*np.flatnonzero(terminal) + 1, len(action)])

    with FrameReader(checkpoint) as reader:
        starts_at_reset = False
        index = start = 0
        while True:
            padding = _skip_padding(reader, may_be_padding[start : start + PADDING_ROWS])
            start += padding
            if start >= len(action):
                return
            end = next(ends)
            frames = _take(reader, end - start, frames_at_once)
            yield Episode(
                index,
                starts_at_reset or padding > 0,
                bool(terminal[end - 1]),
                action[start:end],
                reward[start:end],
                frames,
            )
            for _ in frames:  # what the caller left
                pass
            index, start, starts_at_reset = index + 1, end, True


def _in_time_order(checkpoint: Checkpoint, array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    return np.concatenate([array[rows] for rows in checkpoint.time_order])


def _skip_padding(reader: FrameReader, may_be_padding: npt.NDArray[np.bool_]) -> int:
    """Takes leading black frames as far as the other arrays are zero too; says how many."""
    skipped = 0
    while skipped < len(may_be_padding) and may_be_padding[skipped] and not reader.peek().any():
        reader.read(1)
        skipped += 1
    return skipped


def _take(reader: FrameReader, count: int, at_once: int) -> Iterator[npt.NDArray[np.uint8]]:
    while count:
        frames = reader.read(min(count, at_once))
        count -= len(frames)
        yield frames
