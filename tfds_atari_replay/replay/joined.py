"""Packed datasets side by side, as one; nothing is copied."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import recfunctions

from tfds_atari_replay.replay.packed import FrameArrays, Packed

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Joined:
    """Episodes of several datasets, one dataset after the other.

    Frames are numbered through all parts, whether their episodes are selected or not.

    Attributes:
      parts: the datasets.
      actions: for each of them uint8 (A,), what its actions become; None if they stay as they are.
      rows: int64 (E,), which episodes of all parts are selected, in order; None for all.
    """

    parts: tuple[Packed, ...]
    actions: tuple[Array | None, ...]
    rows: Array | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Returns the fields only: other processes derive the rest from them."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def select(self, is_wanted: Array) -> Joined:
        """Returns some of the selected episodes: those for which a mask, bool (E,), is True."""
        if is_wanted.all():
            return self
        rows = np.flatnonzero(is_wanted) if self.rows is None else self.rows[is_wanted]
        return dataclasses.replace(self, rows=rows)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays; those in files are shared by processes that map them."""
        return sum(part.nbytes for part in self.parts)

    @functools.cached_property
    def starts(self) -> Array:
        """int64 (P + 1,), the first frame of each part, and the number of frames."""
        return np.cumsum([0, *(len(part.frames.index) for part in self.parts)])

    @functools.cached_property
    def episodes(self) -> Array:
        """The selected episodes (E,): the fields of `EPISODE`, and int64 `dataset`, their part."""
        stored = np.concatenate([part.episodes for part in self.parts])
        part = np.repeat(np.arange(len(self.parts)), [len(part.episodes) for part in self.parts])
        episodes: Array = recfunctions.append_fields(stored, "dataset", part, usemask=False)
        return episodes if self.rows is None else episodes[self.rows]

    @functools.cached_property
    def spans(self) -> Array:
        """`SPAN` (E,), of the selected episodes."""
        spans = np.concatenate([part.spans for part in self.parts])
        spans = spans if self.rows is None else spans[self.rows]
        spans["start"] += self.starts[self.episodes["dataset"]]
        return spans

    @functools.cached_property
    def frame_dtype(self) -> Any:
        """The integers that are large enough to number the frames."""
        return np.int32 if self.starts[-1] <= np.iinfo(np.int32).max else np.int64

    def columns(self, name: str) -> list[Array]:
        """One of the `SCALARS` of each part's frames, (F,) each."""
        columns = [part.scalars[name] for part in self.parts]
        if name != "action":
            return columns
        return [
            column if become is None else become[column]
            for become, column in zip(self.actions, columns, strict=True)
        ]

    def is_stored(self, name: str) -> bool:
        """Whether the column of all frames is in a file as it is, so that it needs no memory."""
        return len(self.parts) == 1 and (name != "action" or self.actions[0] is None)

    def column(self, name: str) -> Array:
        """One of the `SCALARS` of all frames, (F,). A single part's is not copied."""
        columns = self.columns(name)
        return columns[0] if len(columns) == 1 else np.concatenate(columns)

    def unite(self) -> FrameArrays:
        """Returns the frames of all parts as those of one. A single part's are not copied.

        Raises:
          ValueError: there are more units or groups than an index can number.
        """
        if len(self.parts) == 1:
            return self.parts[0].frames
        units, groups, indices = zip(*(part.frames for part in self.parts), strict=True)
        limit = np.iinfo(np.int32).max
        most = max(sum(map(len, units)), sum(map(len, groups)))
        if most > limit:
            raise ValueError(
                f"Expected at most {limit:,} units and groups of units in one array, got {most:,}. "
                "Put fewer datasets on a device."
            )
        return FrameArrays(
            np.concatenate(units), _concatenate(groups, units), _concatenate(indices, groups)
        )


def _concatenate(numbers: tuple[Array, ...], numbered: tuple[Array, ...]) -> Array:
    """Concatenates row numbers, shifted so that each still means its own part's row."""
    united = np.concatenate(numbers)
    row = start = 0
    for some, of in zip(numbers, numbered, strict=True):
        united[row : row + len(some)] += np.int32(start)
        row += len(some)
        start += len(of)
    return united
