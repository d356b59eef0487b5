"""Turns a ring's rows into episodes in time order.

Only this module knows about padding and where episodes begin and end. The facts come from playing
games through Dopamine's replay buffer and batch_rl's logger, and looking at the files they wrote.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.logs.checkpoint import Checkpoint, Piece
from tfds_atari_replay.logs.frames import FrameReader, find_black_frames, read_frames
from tfds_atari_replay.logs.records import Episode, Frames, Outline, Rows

PADDING_ROWS = 3
"""Zero rows that Dopamine adds before each episode, one fewer than it stacks frames."""

_SCALARS = ("action", "reward", "terminal")

_FEW_ROWS = 1000
"""Below this many rows, scalars may match by chance, so frames are compared too."""

_logger = logging.getLogger(__name__)


class Span(NamedTuple):
    """The rows of an episode, or of a piece of one, in time order."""

    start: int
    stop: int
    starts_at_reset: bool
    ends_in_terminal: bool


@dataclasses.dataclass(frozen=True)
class Play:
    """Rows that were played consecutively, from one checkpoint or several joined ones.

    Attributes:
      pieces: the rows, oldest first.
      follows_terminal: whether the row before the first is known to end an episode.
    """

    pieces: Sequence[Piece]
    follows_terminal: bool = False

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Play:
        """Returns all rows of a checkpoint."""
        return cls([Piece(checkpoint, 0, checkpoint.num_rows)])

    @functools.cached_property
    def action(self) -> npt.NDArray[np.int32]:
        """The actions taken, int32 (rows,)."""
        return np.concatenate([piece.take(piece.checkpoint.action) for piece in self.pieces])

    @functools.cached_property
    def reward(self) -> npt.NDArray[np.float32]:
        """The clipped rewards of these actions, float32 (rows,)."""
        return np.concatenate([piece.take(piece.checkpoint.reward) for piece in self.pieces])

    @functools.cached_property
    def terminal(self) -> npt.NDArray[np.bool_]:
        """Whether the actions ended the episode, bool (rows,)."""
        return np.concatenate([piece.take(piece.checkpoint.terminal) for piece in self.pieces])

    @functools.cached_property
    def may_be_padding(self) -> npt.NDArray[np.bool_]:
        """Whether a row is padding if its frame is black, bool (rows,)."""
        is_zero: npt.NDArray[np.bool_] = (self.action == 0) & (self.reward == 0) & ~self.terminal
        return is_zero

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Yields start and stop of the rows between two terminals, the later one included."""
        first = 0
        for stop in [*(np.flatnonzero(self.terminal) + 1).tolist(), len(self.terminal)]:
            yield first, stop
            first = stop


def read_episodes(
    played: Checkpoint | Play, frames_at_once: int = 256, *, first_index: int = 0
) -> Iterator[Episode]:
    """Yields the episodes of a checkpoint or of a `Play`, oldest first.

    Every row except Dopamine's padding is in exactly one episode. Frames are streamed: take an
    episode's frames before asking for the next episode; the rest is skipped.

    Padding is the zero rows before an episode, at most three: a fourth is a black frame. If the
    rows begin with padding, an episode starts there; if not, they continue an episode that began
    earlier. (If a lap ended right after the padding, no file says that an episode starts in the
    next row, so it counts as a continuation.)

    Args:
      played: what to read.
      frames_at_once: the most frames that `Episode.frames` yields at a time.
      first_index: the first episode's `index`.

    Raises:
      ReplayLogError: while reading, if a file of frames is damaged, unreadable or changed.
    """
    play = played if isinstance(played, Play) else Play.of(played)
    for piece in play.pieces:
        if piece.checkpoint.add_count is None:
            _logger.warning(
                "%s: %s holds no add_count. Assuming a dump at the end of a lap. If it is the "
                "run's last dump, its cursor is unknown, and somewhere two episodes are joined.",
                piece.checkpoint.files,
                piece.checkpoint.files.folder,
            )
    reader = FrameReader(play.pieces)

    def skip_if_black(_: int) -> bool:
        if reader.peek().any():
            return False
        reader.read(1)
        return True

    for index, span in enumerate(find_spans(play, skip_if_black), first_index):
        frames = _take(reader, span.stop - span.start, frames_at_once)
        yield Episode(
            index,
            span.starts_at_reset,
            span.ends_in_terminal,
            play.action[span.start : span.stop],
            play.reward[span.start : span.stop],
            frames,
        )
        for _ in frames:  # skips those that the caller left
            pass


def find_spans(play: Play, is_black: Callable[[int], bool]) -> Iterator[Span]:
    """Yields the spans of the episodes, oldest first, without padding.

    Args:
      play: the rows; its frames are not read.
      is_black: returns whether a row's frame is all zeros. It is called in time order, and only for
        rows that are padding if they are black.
    """
    for first, stop in play.stretches():
        start = first
        limit = min(first + PADDING_ROWS, stop)
        while start < limit and play.may_be_padding[start] and is_black(start):
            start += 1
        if start < stop:
            # A reset comes after padding, and after a terminal whatever the padding.
            starts_at_reset = start > 0 or play.follows_terminal
            yield Span(start, stop, starts_at_reset, bool(play.terminal[stop - 1]))


def outline(checkpoint: Checkpoint, *, deep: bool) -> Outline:
    """Lists the episodes of a checkpoint. Reads all frames if `deep`, and none otherwise.

    Raises:
      ReplayLogError: with `deep`, if the file of the frames is damaged, unreadable or changed.
    """
    play = Play.of(checkpoint)
    if deep:
        row_of = checkpoint.in_time_order(np.arange(checkpoint.capacity))
        black = find_black_frames(checkpoint, _rows_to_look_at(play, row_of))
        spans = list(find_spans(play, lambda row: bool(black[row_of[row]])))
    else:
        spans = list(find_spans(play, lambda _: True))
    reward = play.reward
    return Outline(
        lengths=np.array([span.stop - span.start for span in spans], np.int64),
        returns=np.array([reward[span.start : span.stop].sum(dtype=float) for span in spans]),
        is_complete=np.array([s.starts_at_reset and s.ends_in_terminal for s in spans], np.bool_),
        # After a terminal, three rows are certainly padding. Only at the beginning may rows that
        # look the same belong to the middle of an episode.
        is_exact=deep or not play.may_be_padding[0],
    )


def _rows_to_look_at(play: Play, row_of: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Marks the rows of a checkpoint's file whose frames decide where an episode starts."""
    chosen = np.zeros(play.pieces[0].checkpoint.capacity, np.bool_)
    for first, stop in play.stretches():
        chosen[row_of[first : min(first + PADDING_ROWS, stop)]] = True
    return chosen


def read_rows(checkpoint: Checkpoint) -> Rows:
    """Reads the rows in the order of the files, with padding and garbage.

    Raises:
      ReplayLogError: the file of the frames is damaged, unreadable or changed meanwhile.
    """
    terminal: npt.NDArray[np.uint8] = checkpoint.terminal.view(np.uint8)
    return Rows(read_frames(checkpoint), checkpoint.action, checkpoint.reward, terminal)


def count_repeated(before: Checkpoint, last: Checkpoint) -> int:
    """Counts the rows of a run's last dump that are also in the previous checkpoint.

    They are its oldest rows, since the cursor has moved on by as many rows as were written in
    between: none if the run ended right after a dump. Returns 0 if a lap between the two was never
    dumped, in which case their rows differ.
    """
    count = last.capacity - (last.cursor - before.cursor) % last.capacity
    # Where nothing followed the first dump, the last one's oldest row was never written.
    shared = min(count, before.num_rows)
    old = Play([Piece(before, before.num_rows - shared, before.num_rows)])
    new = Play([Piece(last, count - shared, count)])
    same = all(np.array_equal(getattr(old, n), getattr(new, n)) for n in _SCALARS)
    if same and count < _FEW_ROWS:
        frames = (_take(FrameReader(play.pieces), shared, at_once=1) for play in (old, new))
        same = all(map(np.array_equal, *frames))
    return count if same else 0


def _take(reader: FrameReader, count: int, at_once: int) -> Iterator[Frames]:
    while count:
        frames = reader.read(min(count, at_once))
        count -= len(frames)
        yield frames
