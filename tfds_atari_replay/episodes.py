"""A checkpoint's rows as episodes in time order.

The only place that knows rings, zero rows and borders. Source of the facts: games played through
Dopamine's replay buffer and batch_rl's logger, compared with the files they wrote.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.replay_logs import Checkpoint, FrameReader

_logger = logging.getLogger(__name__)

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
      frames: gives the frames once, in order, as uint8 (n, 84, 84), n at most `frames_at_once`. In
        Dopamine's logs the frame after the last action was never logged.
      has_terminal_frame: whether `frames` gives one more, that of the terminal state. RL Unplugged
        has it.
    """

    index: int
    starts_at_reset: bool
    ends_in_terminal: bool
    action: npt.NDArray[np.int32] = dataclasses.field(repr=False)
    reward: npt.NDArray[np.float32] = dataclasses.field(repr=False)
    frames: Iterator[npt.NDArray[np.uint8]] = dataclasses.field(repr=False)
    has_terminal_frame: bool = False

    @property
    def is_complete(self) -> bool:
        """Whether it holds all steps from reset to terminal."""
        return self.starts_at_reset and self.ends_in_terminal


@dataclasses.dataclass(frozen=True)
class Span:
    """Where an episode, or a piece of one, lies among the rows in time order."""

    start: int
    stop: int
    starts_at_reset: bool
    ends_in_terminal: bool


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
    if checkpoint.add_count is None:
        _logger.warning(
            "%s: %s holds no add_count. Assuming a dump at the end of a lap. If it is the run's "
            "last dump, its cursor is unknown, and somewhere two episodes are joined.",
            checkpoint.files,
            checkpoint.files.folder,
        )
    action = in_time_order(checkpoint, checkpoint.action)
    reward = in_time_order(checkpoint, checkpoint.reward)
    with FrameReader(checkpoint) as reader:

        def skip_if_black(_: int) -> bool:
            if reader.peek().any():
                return False
            reader.read(1)
            return True

        for index, span in enumerate(find_spans(checkpoint, skip_if_black)):
            frames = _take(reader, span.stop - span.start, frames_at_once)
            yield Episode(
                index,
                span.starts_at_reset,
                span.ends_in_terminal,
                action[span.start : span.stop],
                reward[span.start : span.stop],
                frames,
            )
            for _ in frames:  # what the caller left
                pass


def find_spans(checkpoint: Checkpoint, is_black: Callable[[int], bool]) -> Iterator[Span]:
    """Gives where the episodes of a checkpoint lie, oldest first, padding left out.

    Args:
      checkpoint: where to look; its frames are not read.
      is_black: says whether the frame of a row, given by its place in time, is zero throughout. It
        is asked in the order of time, and only for rows that are padding if it is.
    """
    terminal = in_time_order(checkpoint, checkpoint.terminal)
    may_be_padding = (
        (in_time_order(checkpoint, checkpoint.action) == 0)
        & (in_time_order(checkpoint, checkpoint.reward) == 0)
        & ~terminal
    )
    start = 0
    for stop in [*np.flatnonzero(terminal) + 1, len(terminal)]:
        first = start
        limit = min(first + PADDING_ROWS, len(terminal))
        while start < limit and may_be_padding[start] and is_black(start):
            start += 1
        if start < stop:
            # After a terminal comes a reset, whatever the padding.
            yield Span(start, int(stop), start > first or first > 0, bool(terminal[stop - 1]))
        start = int(stop)


def count_repeated(before: Checkpoint, last: Checkpoint) -> int:
    """How many rows of a run's last dump are also in the checkpoint before it.

    They are its oldest, rows cursor to capacity - 2: since the checkpoint before, one row was
    written behind them, and then those before the cursor. 0 if a lap between the two was never
    written, which shows in the rows themselves.
    """
    rows = slice(last.cursor, last.capacity - 1)
    names = ("action", "reward", "terminal")
    same = all(np.array_equal(getattr(before, n)[rows], getattr(last, n)[rows]) for n in names)
    return rows.stop - rows.start if same and rows.start < rows.stop else 0


def in_time_order(checkpoint: Checkpoint, array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    """The rows of one of the checkpoint's arrays, oldest first, without those never written."""
    return np.concatenate([array[rows] for rows in checkpoint.time_order])


def _take(reader: FrameReader, count: int, at_once: int) -> Iterator[npt.NDArray[np.uint8]]:
    while count:
        frames = reader.read(min(count, at_once))
        count -= len(frames)
        yield frames
