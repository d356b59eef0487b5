"""Joins checkpoints of Dopamine's ring to runs: every step once, every episode whole.

A dump made after `count` rows has the rows `count - capacity` to `count` of its run, so counts say
which rows a checkpoint adds to the previous ones, and where rows are lost. The facts come from
Dopamine's replay buffer and batch_rl's logger around it; tests compare joined runs with the play
that was logged.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tfds_atari_replay.logs import episodes
from tfds_atari_replay.logs.checkpoint import Checkpoint, Piece, open_checkpoint
from tfds_atari_replay.logs.errors import ReplayLogError
from tfds_atari_replay.logs.files import CheckpointFiles, Stamps, portable
from tfds_atari_replay.logs.records import Episode
from tfds_atari_replay.logs.runs import Gap, Run, Shard


def join_rings(checkpoints: Iterable[CheckpointFiles]) -> Run:
    """Joins checkpoints of Dopamine's ring buffer. Reads their small arrays.

    Args:
      checkpoints: those of one run, by number.

    Raises:
      FileNotFoundError: a file is missing.
      ReplayLogError: a file is damaged, or checkpoints are not of one run.
    """
    parts = list(_find_parts(checkpoints))
    first_indices = itertools.accumulate((part.num_starts for part in parts), initial=0)
    shards = [
        _to_shard(part, parts[index + 1 :], first_index)
        for index, (part, first_index) in enumerate(zip(parts, first_indices, strict=False))
    ]
    return Run(
        shards,
        parts[0].capacity,
        sum(part.repeated for part in parts),
        [part.gap for part in parts if part.gap],
    )


@dataclasses.dataclass(frozen=True)
class _Part:
    """The rows that a checkpoint adds to the previous ones. Rows are counted in time order.

    Attributes:
      files: the checkpoint.
      stamps: of its files.
      capacity: rows in the ring.
      num_rows: how many rows have data.
      repeated: how many of the oldest rows are also in the previous checkpoint.
      gap: the gap before it, if any.
      continues: whether its first new row continues an episode of the previous part.
      follows_terminal: whether it directly follows the end of an episode of the previous part.
      stops: one past the first and one past the last new terminal row; None if there is none.
      num_stops: how many new rows end an episode.
    """

    files: CheckpointFiles
    stamps: Stamps
    capacity: int
    num_rows: int
    repeated: int
    gap: Gap | None
    continues: bool
    follows_terminal: bool
    stops: tuple[int, int] | None
    num_stops: int

    @property
    def ends_in_terminal(self) -> bool:
        """Whether its newest row ends an episode."""
        return self.stops is not None and self.stops[1] == self.num_rows

    @property
    def head(self) -> tuple[int, int]:
        """Start and stop of the rows that continue an episode of an earlier part."""
        if not self.continues:
            return self.repeated, self.repeated
        return self.repeated, self.stops[0] if self.stops else self.num_rows

    @property
    def num_starts(self) -> int:
        """The most episodes that can start here: some may turn out to be only padding."""
        is_any = self.num_rows > self.repeated
        return self.num_stops - self.ends_in_terminal + (is_any and not self.continues)


def _find_parts(checkpoints: Iterable[CheckpointFiles]) -> Iterator[_Part]:
    before: Checkpoint | None = None
    for files in checkpoints:
        files.check_complete()
        ring = open_checkpoint(files)
        if before is None:
            repeated, gap = 0, _gap_at_the_beginning(ring)
        else:
            _check_order(before, ring)
            repeated, gap = _compare(before, ring)
        stops = np.flatnonzero(ring.in_time_order(ring.terminal)[repeated:]) + repeated + 1
        follows = gap is None and before is not None
        ended = before is not None and bool(before.in_time_order(before.terminal)[-1])
        yield _Part(
            files,
            portable(ring.stamps),
            ring.capacity,
            ring.num_rows,
            repeated,
            gap,
            continues=follows and not ended,
            follows_terminal=follows and ended,
            stops=(int(stops[0]), int(stops[-1])) if len(stops) else None,
            num_stops=len(stops),
        )
        before = ring


def _gap_at_the_beginning(ring: Checkpoint) -> Gap | None:
    number = ring.files.number
    lost = None if ring.is_last_dump else (ring.add_count or 0) - ring.num_rows
    return Gap(number, tuple(range(number)), lost) if number or lost else None


def _check_order(before: Checkpoint, ring: Checkpoint) -> None:
    advice = "Delete what does not belong to this run."
    if ring.capacity != before.capacity:
        raise ReplayLogError(
            f"{ring.files} has {ring.capacity:,} rows, checkpoint {before.files.number} of the "
            f"same run {before.capacity:,}; expected as many. {advice}"
        )
    if before.is_last_dump:
        raise ReplayLogError(
            f"{before.files} is a run's last dump, by its add_count of {before.add_count:,}; "
            f"expected none after it, got checkpoint {ring.files.number}. {advice}"
        )
    if not ring.is_last_dump and (ring.add_count or 0) <= (before.add_count or 0):
        raise ReplayLogError(
            f"{ring.files} has an add_count of {ring.add_count:,}; expected more than the "
            f"{before.add_count:,} of checkpoint {before.files.number}. Is it the same dump twice? "
            f"{advice}"
        )


def _compare(before: Checkpoint, ring: Checkpoint) -> tuple[int, Gap | None]:
    """Returns how many rows are in both, and the gap between the two, if any."""
    number = ring.files.number
    missing = tuple(range(before.files.number + 1, number))
    if ring.is_last_dump:
        repeated = 0 if missing else episodes.count_repeated(before, ring)
        return repeated, None if repeated else Gap(number, missing, None)
    new = (ring.add_count or 0) - (before.add_count or 0)
    lost = new - ring.capacity
    return max(0, -lost), Gap(number, missing, lost) if lost > 0 else None


@dataclasses.dataclass(frozen=True)
class _Stretch:
    """A piece of a checkpoint that is not open yet."""

    files: CheckpointFiles
    stamps: Stamps
    start: int
    stop: int

    def open(self) -> Piece:
        ring = open_checkpoint(self.files)
        self.files.check_unchanged(self.stamps)
        return Piece(ring, self.start, self.stop)


@dataclasses.dataclass(frozen=True)
class _RingShard(Shard):
    number: int
    num_rows: int
    stretches: Sequence[_Stretch]
    follows_terminal: bool
    first_index: int

    def episodes(self, frames_at_once: int = 256) -> Iterator[Episode]:
        if self.stretches:
            pieces = [stretch.open() for stretch in self.stretches]
            play = episodes.Play(pieces, self.follows_terminal)
            yield from episodes.read_episodes(play, frames_at_once, first_index=self.first_index)


def _to_shard(part: _Part, later: Sequence[_Part], first_index: int) -> Shard:
    start = part.head[1]
    stretches = []
    if start < part.num_rows:
        stretches = [_Stretch(part.files, part.stamps, start, part.num_rows)]
        stretches += [_Stretch(p.files, p.stamps, *p.head) for p in _tail(part, later)]
    return _RingShard(
        part.files.number,
        part.num_rows - part.repeated,
        stretches,
        # If an episode of an earlier part ended here, the row before the first is its terminal.
        part.follows_terminal or part.head[0] < start,
        first_index,
    )


def _tail(part: _Part, later: Sequence[_Part]) -> Iterator[_Part]:
    """Yields the parts that continue a part's last episode, up to the part in which it ends."""
    if part.ends_in_terminal:
        return
    for other in later:
        start, stop = other.head
        if start < stop:
            yield other
        if not other.continues or other.stops:
            return
