"""Packs the episodes of a dataset: from stored blocks to files of units and groups."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import blocks
from tfds_atari_replay.prepared.reading import EPISODE, FIELDS, StoredEpisode
from tfds_atari_replay.replay.locality import sort_by_lifetime
from tfds_atari_replay.replay.packed import SCALARS, SPAN
from tfds_atari_replay.replay.table import (
    BYTES_PER_UNIT,
    GROUPS_PER_FRAME,
    ROWS_PER_UNIT,
    UNITS_PER_FRAME,
    UNITS_PER_GROUP,
    ArrayFile,
    HashCollisionError,
    RowHash,
    Table,
)
from tfds_atari_replay.threads import map_ahead

# More blocks take less time and more memory. The threads that find changes have to be able to run
# ahead by as many blocks as are looked up, or they wait during that.
_BLOCKS_PER_CALL = 8
_BLOCKS_PER_LOOKUP = 16

Array = npt.NDArray[Any]

_Item = TypeVar("_Item")


class _Changes(NamedTuple):
    """The units of a block that change.

    Attributes:
      units: uint8 (C, 168), frame by frame.
      hashes: uint64 (C,).
      is_new: bool (frames, 42), where they are; C are True.
    """

    units: Array
    hashes: Array
    is_new: Array


def pack(episodes: Callable[[], Iterable[StoredEpisode]], folder: pathlib.Path) -> None:
    """Packs episodes into .npy files, one for each array of `Packed`.

    Args:
      episodes: reads them, in any order.
      folder: where to write.

    Raises:
      ValueError: an episode is damaged.
      OSError: the files cannot be written.
    """
    for seed in itertools.count():
        with contextlib.suppress(HashCollisionError):
            _pack(RowHash(seed), episodes(), folder)
            sort_by_lifetime(folder)
            return


def _pack(hash_rows: RowHash, episodes: Iterable[StoredEpisode], folder: pathlib.Path) -> None:
    """Packs with a given hash.

    Raises:
      HashCollisionError: the hash gives two different units the same number.
    """
    rows: list[tuple[Any, ...]] = []
    spans: list[tuple[Any, ...]] = []
    with contextlib.ExitStack() as stack:

        def array_file(name: str, row_shape: tuple[int, ...], dtype: Any) -> ArrayFile:
            file = ArrayFile(folder / f"{name}.npy", row_shape, dtype)
            stack.callback(file.close)
            return file

        units = Table(array_file("units", (BYTES_PER_UNIT,), np.uint8), hash_rows)
        groups = Table(array_file("groups", (UNITS_PER_GROUP,), np.int32), hash_rows)
        index = array_file("index", (GROUPS_PER_FRAME,), np.int32)
        scalars = {name: array_file(name, (), dtype) for name, dtype in SCALARS.items()}
        some_scalar = next(iter(scalars.values()))

        def blocks_of(episodes: Iterable[StoredEpisode]) -> Iterator[bytes | None]:
            for episode in episodes:
                columns = episode.unpack_columns()
                rows.append(episode.describe(columns))
                spans.append(_locate(episode, columns, start=len(some_scalar) + 1))
                for name, file in scalars.items():
                    file.append(np.pad(columns[name], (1, 0)))
                yield None
                yield from episode.frames

        def find_changes(blocks: list[bytes | None]) -> list[_Changes]:
            return [_find_changes(block, hash_rows) for block in blocks]

        stored = _batched(blocks_of(episodes), _BLOCKS_PER_CALL)
        found = itertools.chain.from_iterable(map_ahead(find_changes, stored))
        starts, count = [], 0
        for some in _batched(found, _BLOCKS_PER_LOOKUP):
            for changes in some:
                count += len(changes.is_new)
                if not len(changes.units):
                    starts.append(count)
            index.append(_number_groups(groups, _number_units(units, some)))
        if starts != [span[0] for span in spans] or count != len(some_scalar):
            raise ValueError("expected as many frames as actions in each episode")
    order = np.argsort(np.array([row[0] for row in rows], np.int64), kind="stable")
    np.save(folder / "episodes.npy", np.array(rows, EPISODE)[order])
    np.save(folder / "spans.npy", np.array(spans, SPAN)[order])


def _locate(episode: StoredEpisode, columns: dict[str, Array], start: int) -> tuple[Any, ...]:
    """A row of `SPAN`."""
    return (
        start,
        len(columns["action"]),
        bool(columns["is_first"][0]),
        bool(columns["is_terminal"][-1]),
        episode.shard,
        episode.record,
    )


def _batched(items: Iterator[_Item], size: int) -> Iterator[list[_Item]]:
    """Like itertools.batched, which Python 3.10 does not have."""
    while batch := list(itertools.islice(items, size)):
        yield batch


def _find_changes(stored: bytes | None, hash_rows: RowHash) -> _Changes:
    """Cuts a block into units, and keeps those that differ from the frame before.

    Args:
      stored: the block; None for a frame of zeros.
      hash_rows: hashes them.
    """
    if stored is None:
        is_new = np.zeros((1, UNITS_PER_FRAME), np.bool_)
        return _Changes(np.zeros((0, BYTES_PER_UNIT), np.uint8), np.zeros(0, np.uint64), is_new)
    block = blocks.unpack_block_np(stored, FIELDS["observation"])
    pairs = block.index[block.lead :].reshape(-1, UNITS_PER_FRAME, ROWS_PER_UNIT)
    is_new = np.ones(pairs.shape[:2], np.bool_)
    is_new[1:] = (pairs[1:] != pairs[:-1]).any(axis=2)
    units = np.take(block.rows, pairs[is_new], axis=0).reshape(-1, BYTES_PER_UNIT)
    return _Changes(units, hash_rows(units), is_new)


def _number_units(table: Table, some: list[_Changes]) -> Array:
    """Returns the numbers of all units of some blocks, int32 (frames, 42)."""
    numbers = table.number(
        np.concatenate([changes.units for changes in some]),
        np.concatenate([changes.hashes for changes in some]),
    )
    found, start = [], 0
    for changes in some:
        stop = start + len(changes.units)
        found.append(_fill_forward(numbers[start:stop], changes.is_new))
        start = stop
    return np.concatenate(found)


def _number_groups(table: Table, units: Array) -> Array:
    """Returns the numbers of the groups of frames, int32 (frames, 6), from those of their units."""
    groups = units.reshape(-1, GROUPS_PER_FRAME, UNITS_PER_GROUP)
    is_new = np.ones(groups.shape[:2], np.bool_)
    is_new[1:] = (groups[1:] != groups[:-1]).any(axis=2)
    return _fill_forward(table.number(groups[is_new]), is_new)


def _fill_forward(numbers: Array, is_new: Array) -> Array:
    """Puts numbers where they are new; elsewhere, repeats the number of the frame before.

    Args:
      numbers: int32 (C,), frame by frame.
      is_new: bool (frames, W), with C True. A column has number 0 until it is new.
    """
    laid_out = np.zeros(is_new.shape, np.int32)
    laid_out[is_new] = numbers
    frame = np.arange(len(is_new))[:, np.newaxis]
    changed = np.maximum.accumulate(frame * is_new, axis=0)
    return np.take_along_axis(laid_out, changed, axis=0)
