"""A ring's rows as episodes in time order.

The only place that knows about zero rows and the borders of episodes. The facts come from games
played through Dopamine's replay buffer and batch_rl's logger, compared with the files they wrote.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.logs.checkpoint import Checkpoint
from tfds_atari_replay.logs.frames import FrameReader, find_black_frames, read_frames
from tfds_atari_replay.logs.records import Episode, Frames, Outline, Rows

PADDING_ROWS = 3
"""Zero rows that Dopamine adds before each episode: its stack size less one."""

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Span:
    """Where an episode, or a piece of one, lies among the rows in time order."""

    start: int
    stop: int
    starts_at_reset: bool
    ends_in_terminal: bool

    @property
    def is_complete(self) -> bool:
        """Whether it goes from a reset to a terminal."""
        return self.starts_at_reset and self.ends_in_terminal


def read_episodes(checkpoint: Checkpoint, frames_at_once: int = 64) -> Iterator[Episode]:
    """Yields the episodes of a checkpoint, oldest first.

    Every row except Dopamine's padding is in exactly one episode. Frames are streamed: take those
    of an episode before asking for the next one; the rest is skipped.

    Padding is the zero rows before an episode, at most three: a fourth is a black frame. At the
    checkpoint's beginning it says that an episode starts there. Without any, the rows continue an
    episode that began in an older checkpoint. (Where a lap ended right after the padding, no file
    says that the episode starts here, so it counts as a continuation.)

    Args:
      checkpoint: what to read.
      frames_at_once: how many frames `Episode.frames` yields at a time.

    Raises:
      ReplayLogError: while reading, if the file of the frames is damaged, unreadable or changed.
    """
    if checkpoint.add_count is None:
        _logger.warning(
            "%s: %s holds no add_count. Assuming a dump at the end of a lap. If it is the run's "
            "last dump, its cursor is unknown, and somewhere two episodes are joined.",
            checkpoint.files,
            checkpoint.files.folder,
        )
    action = checkpoint.in_time_order(checkpoint.action)
    reward = checkpoint.in_time_order(checkpoint.reward)
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
    """Yields where the episodes of a checkpoint lie, oldest first, padding left out.

    Args:
      checkpoint: where to look; its frames are not read.
      is_black: says whether the frame at a place in time is zero throughout. It is called in time
        order, and only for rows that are padding if so.
    """
    terminal = checkpoint.in_time_order(checkpoint.terminal)
    may_be_padding = _may_be_padding(checkpoint)
    for first, stop in _stretches(terminal):
        start = first
        limit = min(first + PADDING_ROWS, stop)
        while start < limit and may_be_padding[start] and is_black(start):
            start += 1
        if start < stop:
            # After a terminal comes a reset, whatever the padding.
            yield Span(start, stop, start > first or first > 0, bool(terminal[stop - 1]))


def outline(checkpoint: Checkpoint, *, deep: bool) -> Outline:
    """Lists the episodes of a checkpoint without reading frames, or with `deep` reading them all.

    Raises:
      ReplayLogError: with `deep`, if the file of the frames is damaged, unreadable or changed.
    """
    if deep:
        row_of = checkpoint.in_time_order(np.arange(checkpoint.capacity))
        black = find_black_frames(checkpoint, _rows_to_look_at(checkpoint, row_of))
        spans = list(find_spans(checkpoint, lambda place: bool(black[row_of[place]])))
    else:
        spans = list(find_spans(checkpoint, lambda _: True))
    reward = checkpoint.in_time_order(checkpoint.reward)
    return Outline(
        lengths=np.array([span.stop - span.start for span in spans], np.int64),
        returns=np.array([reward[span.start : span.stop].sum(dtype=float) for span in spans]),
        is_complete=np.array([span.is_complete for span in spans], np.bool_),
        # After a terminal, three rows are padding for sure. Only at the beginning may such rows be
        # the middle of an episode.
        is_exact=deep or not _may_be_padding(checkpoint)[0],
    )


def _may_be_padding(checkpoint: Checkpoint) -> npt.NDArray[np.bool_]:
    """Finds the rows, in time order, that are padding if their frame is black."""
    is_zero = (checkpoint.action == 0) & (checkpoint.reward == 0) & ~checkpoint.terminal
    return checkpoint.in_time_order(is_zero)


def _stretches(terminal: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yields first row and end of each stretch from one terminal to the next, in time order."""
    first = 0
    for stop in [*(np.flatnonzero(terminal) + 1).tolist(), len(terminal)]:
        yield first, stop
        first = stop


def _rows_to_look_at(
    checkpoint: Checkpoint, row_of: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Marks the rows of the file whose frames decide where an episode starts."""
    chosen = np.zeros(checkpoint.capacity, np.bool_)
    for first, stop in _stretches(checkpoint.in_time_order(checkpoint.terminal)):
        chosen[row_of[first : min(first + PADDING_ROWS, stop)]] = True
    return chosen


def read_rows(checkpoint: Checkpoint) -> Rows:
    """Reads the rows as they lie in the files: not in time order, with padding and garbage.

    Raises:
      ReplayLogError: the file of the frames is damaged, unreadable or changed meanwhile.
    """
    terminal: npt.NDArray[np.uint8] = checkpoint.terminal.view(np.uint8)
    return Rows(read_frames(checkpoint), checkpoint.action, checkpoint.reward, terminal)


def count_repeated(before: Checkpoint, last: Checkpoint) -> int:
    """Counts the rows of a run's last dump that the checkpoint before it holds too.

    These are its oldest, rows cursor to capacity - 2: since the checkpoint before, one row was
    written behind them, then those before the cursor. 0 if a lap between the two was never
    written, which shows in the rows themselves.
    """
    rows = slice(last.cursor, last.capacity - 1)
    names = ("action", "reward", "terminal")
    same = all(np.array_equal(getattr(before, n)[rows], getattr(last, n)[rows]) for n in names)
    return rows.stop - rows.start if same and rows.start < rows.stop else 0


def _take(reader: FrameReader, count: int, at_once: int) -> Iterator[Frames]:
    while count:
        frames = reader.read(min(count, at_once))
        count -= len(frames)
        yield frames
