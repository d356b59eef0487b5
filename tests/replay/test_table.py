"""Distinct units are stored once and found again, at any size of the table."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tfds_atari_replay.replay import table
from tfds_atari_replay.replay.table import BYTES_PER_UNIT, ArrayInMemory, Table, UnitHash, unite

UNITS = np.random.default_rng(0).integers(256, size=(1000, BYTES_PER_UNIT), dtype=np.uint8)


def weak_hash(units: Any) -> Any:
    """A hash under which units with the same first byte collide."""
    return units[:, 0].astype(np.uint64)


def make_table(hash_units: Any) -> tuple[Table, ArrayInMemory]:
    rows = ArrayInMemory(5000, (BYTES_PER_UNIT,), np.uint8)
    return Table(rows, hash_units), rows


def test_numbers_are_those_of_a_dict() -> None:
    """Calls of many sizes, so that levels of all kinds are merged."""
    rng, hash_units = np.random.default_rng(1), UnitHash(0)
    made, rows = make_table(hash_units)
    numbers: dict[bytes, int] = {bytes(BYTES_PER_UNIT): 0}
    for size in [1, 3, 2, 100, 0, 7, 300, 1, 1, 50, 400, 9]:
        units = UNITS[rng.integers(len(UNITS), size=size)]
        expected = [numbers.setdefault(unit.tobytes(), len(numbers)) for unit in units]
        assert made.number(units, hash_units(units)).tolist() == expected
    assert [row.tobytes() for row in rows.read()] == list(numbers)


def test_levels_stay_few() -> None:
    """Each is at least twice as long as the next, so look-ups stay quick and copies few."""
    hash_units = UnitHash(0)
    made, _ = make_table(hash_units)
    for start in range(0, 1000, 3):
        units = UNITS[start : start + 3]
        made.number(units, hash_units(units))
        lengths = [len(hashes) for hashes, _ in made._levels]
        assert all(long >= 2 * short for long, short in itertools.pairwise(lengths))
        assert sum(lengths) == 1 + min(start + 3, 1000)


def test_a_collision_is_noticed() -> None:
    made, _ = make_table(weak_hash)
    with pytest.raises(table.HashCollisionError):
        made.number(UNITS, weak_hash(UNITS))


def test_uniting_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a weak hash different units collide at first; with the next they do not."""
    monkeypatch.setattr(table, "_UNITS_AT_ONCE", 256)
    seeds = []

    def hash_of(seed: int) -> Any:
        seeds.append(seed)
        return weak_hash if seed == 0 else UnitHash(seed)

    monkeypatch.setattr(table, "UnitHash", hash_of)
    zeros = np.zeros((1, BYTES_PER_UNIT), np.uint8)
    distinct = np.concatenate([zeros, UNITS])
    pieces = [slice(0, 600), slice(300, 800), slice(0, 1001)]
    united, numbers = unite([distinct[piece] for piece in pieces])
    np.testing.assert_array_equal(united, distinct)
    for piece, found in zip(pieces, numbers, strict=True):
        np.testing.assert_array_equal(found, np.arange(1001)[piece])
    assert seeds == [0, 1]
