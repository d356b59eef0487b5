"""Distinct rows are stored once and found again, at any size of the table."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tfds_atari_replay.replay import table
from tfds_atari_replay.replay.table import BYTES_PER_UNIT, ArrayFile, RowHash, Table

RNG = np.random.default_rng(0)
ROWS = {
    "units": RNG.integers(256, size=(1000, BYTES_PER_UNIT), dtype=np.uint8),
    "groups": RNG.integers(1, 5, size=(1000, 7), dtype=np.int32),  # 28 bytes, no multiple of 8
}


def weak_hash(rows: Any) -> Any:
    """A hash under which rows that begin alike collide."""
    return rows[:, 0].astype(np.uint64)


@pytest.fixture(params=ROWS)
def rows(request: pytest.FixtureRequest) -> Any:
    """A thousand different rows, of each kind."""
    return ROWS[request.param]


@pytest.fixture
def file(rows: Any, tmp_path: pathlib.Path) -> Iterator[ArrayFile]:
    """An empty file for them."""
    with contextlib.closing(ArrayFile(tmp_path / "rows.npy", rows.shape[1:], rows.dtype)) as file:
        yield file


def test_numbers_are_those_of_a_dict(rows: Any, file: ArrayFile) -> None:
    """Calls of many sizes, so that levels of all kinds are merged."""
    rng = np.random.default_rng(1)
    made = Table(file, RowHash(0))
    numbers: dict[bytes, int] = {bytes(rows.itemsize * rows.shape[1]): 0}
    for size in [1, 3, 2, 100, 0, 7, 300, 1, 1, 50, 400, 9]:
        some = rows[rng.integers(len(rows), size=size)]
        expected = [numbers.setdefault(row.tobytes(), len(numbers)) for row in some]
        assert made.number(some).tolist() == expected
    assert [row.tobytes() for row in file.read()] == list(numbers)


def test_levels_stay_few(rows: Any, file: ArrayFile) -> None:
    """Each is at least twice as long as the next, so look-ups stay quick and copies few."""
    made = Table(file, RowHash(0))
    for start in range(0, 1000, 3):
        made.number(rows[start : start + 3])
        lengths = [len(hashes) for hashes, _ in made._levels]
        assert all(long >= 2 * short for long, short in itertools.pairwise(lengths))
        assert sum(lengths) == len(file)


def test_a_collision_is_noticed(rows: Any, file: ArrayFile) -> None:
    made = Table(file, weak_hash)  # type: ignore[arg-type]
    with pytest.raises(table.HashCollisionError):
        made.number(rows)
