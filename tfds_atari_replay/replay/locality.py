"""Places units and groups so that frames of about the same time lie on few pages of a file.

Tables grow in the order in which rows appear. Most rows are used for a short time only, but between
them lie rows that come back throughout a run, so frames of any time need pages from all over the
file. Here the rows used over a long time move to the front, where they share pages, and the others
keep their order. Files larger than memory are then read close to once by `LocalShuffle`.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.replay.table import ArrayFile

# In frames: as many as a stretch of `LocalShuffle` has.
_LONG = 4096
_ROWS_AT_ONCE = 2**16

Array = npt.NDArray[Any]


def sort_by_lifetime(folder: pathlib.Path) -> None:
    """Sorts the tables of `FrameArrays` that are stored in a folder, and renumbers their rows.

    Row 0, zeros, stays where it is. Until the sorted tables are complete, both are on disk. Memory
    needed is about 4 bytes a frame, and 20 a group and a unit.

    Raises:
      OSError: the files cannot be written.
    """
    index = np.load(folder / "index.npy", mmap_mode="r+")
    groups, units = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("groups", "units"))
    if len(index) <= _LONG:
        return
    frames = np.arange(len(index), dtype=np.int32)
    group_lives = _lifetimes(index, (frames, frames), len(groups))
    group_order, group_numbers = _long_ones_first(*group_lives)
    unit_order, unit_numbers = _long_ones_first(*_lifetimes(groups, group_lives, len(units)))
    _rewrite(folder / "units.npy", units, unit_order)
    _rewrite(folder / "groups.npy", groups, group_order, unit_numbers)
    for rows in _slices(len(index)):
        index[rows] = group_numbers[index[rows]]
    index.flush()


def _lifetimes(users: Array, lives: tuple[Array, Array], count: int) -> tuple[Array, Array]:
    """Returns when each row is used first and last.

    Args:
      users: int32 (N, M), the rows that each of N users has.
      lives: int32 (N,) twice, when each user is used first and last.
      count: of rows.
    """
    first = np.full(count, np.iinfo(np.int32).max, np.int32)
    last = np.zeros(count, np.int32)
    for rows in _slices(len(users)):
        used, width = users[rows].ravel(), users.shape[1]
        np.minimum.at(first, used, np.repeat(lives[0][rows], width))
        np.maximum.at(last, used, np.repeat(lives[1][rows], width))
    return first, last


def _long_ones_first(first: Array, last: Array) -> tuple[Array, Array]:
    """Returns the rows in their new order, and the new number of each."""
    is_long = last - first >= _LONG
    is_long[0] = True
    order = np.concatenate([np.flatnonzero(is_long), np.flatnonzero(~is_long)])
    numbers = np.empty(len(order), np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    return order, numbers


def _rewrite(path: pathlib.Path, table: Array, order: Array, numbers: Array | None = None) -> None:
    """Replaces a table by its rows in an order, with their values renumbered if need be."""
    part = path.with_suffix(".sorted")
    file = ArrayFile(part, table.shape[1:], table.dtype)
    for rows in _slices(len(order)):
        taken = table[order[rows]]
        file.append(taken if numbers is None else numbers[taken])
    file.close()
    part.replace(path)


def _slices(length: int) -> list[slice]:
    return [slice(start, start + _ROWS_AT_ONCE) for start in range(0, length, _ROWS_AT_ONCE)]
