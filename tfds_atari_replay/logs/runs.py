"""Whole runs: the joined checkpoints of a run, in any layout."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from tfds_atari_replay.logs.records import Episode


class Shard(abc.ABC):
    """The episodes that start in one checkpoint, wherever they end.

    It knows where to read but has no data: a few hundred bytes when pickled.

    Attributes:
      number: the checkpoint's.
      num_rows: how many rows it adds to its run, padding included; None if not known yet.
    """

    number: int
    num_rows: int | None

    @abc.abstractmethod
    def episodes(self, frames_at_once: int = 256) -> Iterator[Episode]:
        """Yields the episodes, oldest first; `index` is unique in the run and grows with time.

        Take an episode's frames before asking for the next episode; the rest is skipped.

        Raises:
          ReplayLogError: while reading, if a file is damaged, or has changed since the run was
            joined.
        """


@dataclasses.dataclass(frozen=True)
class Gap:
    """A checkpoint of a run does not start where the previous one ended.

    Attributes:
      before: the number of the checkpoint after the gap.
      missing: the numbers of the absent checkpoints.
      rows: how many rows are lost, padding included; None if not known.
    """

    before: int
    missing: tuple[int, ...]
    rows: int | None


@dataclasses.dataclass(frozen=True)
class Run:
    """A run's checkpoints, joined.

    Attributes:
      shards: one for each checkpoint, in order.
      capacity: rows in the ring; None if the layout does not say.
      repeated: how many rows of the last dump are left out, since the previous checkpoint has them.
      gaps: where an episode stays cut.
    """

    shards: Sequence[Shard]
    capacity: int | None
    repeated: int
    gaps: Sequence[Gap]

    @property
    def checkpoints(self) -> list[int]:
        """The numbers of the checkpoints."""
        return [shard.number for shard in self.shards]

    def metadata(self) -> dict[str, Any]:
        """Returns what a dataset's metadata says about it, JSON-serializable."""
        return {
            "checkpoints": self.checkpoints,
            "capacity": self.capacity,
            "repeated": self.repeated,
            "gaps": [
                {"before": gap.before, "missing": list(gap.missing), "rows": gap.rows}
                for gap in self.gaps
            ],
        }

    def describe_gaps(self) -> str:
        """Describes for people where episodes stay cut, and which checkpoints are missing."""
        missing = [number for gap in self.gaps for number in gap.missing]
        before = ", ".join(str(gap.before) for gap in self.gaps)
        absent = f"; missing: {', '.join(map(str, missing))}" if missing else ""
        return f"episodes stay cut before checkpoint {before}{absent}."
