"""The table of distinct units: each is stored once, and found again by its hash."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable
from typing import IO, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

HEIGHT, WIDTH = 84, 84
ROWS_PER_UNIT = 2
UNITS_PER_FRAME = HEIGHT // ROWS_PER_UNIT
BYTES_PER_UNIT = ROWS_PER_UNIT * WIDTH

# Units looked up at a time, so that temporary memory does not grow with their number.
_UNITS_AT_ONCE = 2**16

Array = npt.NDArray[Any]

_Result = TypeVar("_Result")


class HashCollisionError(Exception):
    """Two different units have the same hash."""


class UnitHash:
    """Hashes units: the sum of their 64-bit words, each multiplied by a random odd number."""

    def __init__(self, seed: int):
        words = BYTES_PER_UNIT // 8
        factors = np.random.default_rng(seed).integers(2**63, size=words, dtype=np.uint64)
        self._factors = factors * np.uint64(2) + np.uint64(1)

    def __call__(self, units: Array) -> Array:
        """Hashes uint8 (N, 168) to uint64 (N,)."""
        words = units.view(np.uint64)
        # Multiplication carries bits upwards only, so bring the upper half down first.
        hashes: Array = (words ^ (words >> np.uint64(32))) @ self._factors
        return hashes


def without_collisions(work: Callable[[UnitHash], _Result]) -> _Result:
    """Calls `work` with a hash; with a different one if that raises HashCollisionError."""
    seed = 0
    while True:
        with contextlib.suppress(HashCollisionError):
            return work(UnitHash(seed))
        seed += 1


class Rows(Protocol):
    """Rows that can be appended to."""

    def __len__(self) -> int: ...

    def append(self, rows: Array) -> None:
        """Appends rows."""

    def read(self) -> Array:
        """Returns all rows appended so far; there must be one."""


class ArrayInMemory:
    """Rows in memory; those that are not used yet take none."""

    def __init__(self, capacity: int, row_shape: tuple[int, ...], dtype: Any):
        self._rows = np.empty((capacity, *row_shape), dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, rows: Array) -> None:
        """Appends rows."""
        self._rows[self._length : self._length + len(rows)] = rows
        self._length += len(rows)

    def read(self) -> Array:
        """Returns all rows appended so far."""
        return self._rows[: self._length]


class ArrayFile:
    """An .npy file that rows are appended to."""

    def __init__(self, path: pathlib.Path, row_shape: tuple[int, ...], dtype: Any):
        self._path = path
        self._row_shape = row_shape
        self._dtype = np.dtype(dtype)
        self._length = 0
        self._file: IO[bytes] = path.open("w+b")
        self._write_header()
        self._start = self._file.tell()

    def __len__(self) -> int:
        return self._length

    def append(self, rows: Array) -> None:
        """Appends rows."""
        self._file.write(rows.astype(self._dtype, copy=False).tobytes())
        self._length += len(rows)

    def read(self) -> Array:
        """Maps all rows appended so far; there must be one."""
        self._file.flush()
        shape = (self._length, *self._row_shape)
        return np.memmap(self._path, self._dtype, "r", self._start, shape)

    def close(self) -> None:
        """Writes the header again, now with the length. NumPy's headers leave room for that."""
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._start:
            raise AssertionError("NumPy's header left no room for the length.")
        self._file.close()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._length, *self._row_shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


class Table:
    """Distinct units, numbered as they appear. Unit 0 is zeros.

    Units that are new in a frame lie side by side, which is quicker to read. Hashes are kept in
    sorted levels, each at least twice as long as the next; short ones are merged. So each hash is
    copied some 20 times in all, and the time of a look-up hardly grows with the table. Hashes and
    numbers take 12 bytes a distinct unit, twice that while two levels are merged.
    """

    def __init__(self, rows: Rows, hash_units: UnitHash):
        self._rows = rows
        self._levels: list[tuple[Array, Array]] = []
        zeros = np.zeros((1, BYTES_PER_UNIT), np.uint8)
        self.number(zeros, hash_units(zeros))

    def number(self, units: Array, hashes: Array) -> Array:
        """Looks up units, and adds those that are new.

        Args:
          units: uint8 (N, 168).
          hashes: uint64 (N,).

        Returns:
          Their numbers, int32 (N,). Each unit was compared with the one that has its number.

        Raises:
          HashCollisionError: two different units have the same hash.
        """
        distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        numbers = np.full(len(distinct), -1, np.int32)
        for known, known_numbers in self._levels:
            # Without the last, so that the index of a hash above all is not out of range.
            index = np.searchsorted(known[:-1], distinct)
            is_known = known[index] == distinct
            numbers[is_known] = known_numbers[index[is_known]]
        is_added = numbers < 0
        added = np.sort(first[is_added])
        numbers[is_added] = len(self._rows) + np.searchsorted(added, first[is_added])
        self._rows.append(units[added])
        self._add_level(distinct[is_added], numbers[is_added])
        found: Array = numbers[inverse]
        if not np.array_equal(np.take(self._rows.read(), found, axis=0), units):
            raise HashCollisionError
        return found

    def _add_level(self, hashes: Array, numbers: Array) -> None:
        if not len(hashes):
            return
        while self._levels and len(self._levels[-1][0]) < 2 * len(hashes):
            shorter_hashes, shorter_numbers = self._levels.pop()
            hashes = np.concatenate([shorter_hashes, hashes])
            # A stable sort finds the two sorted parts, and merges them in linear time.
            order = np.argsort(hashes, kind="stable")
            hashes = hashes[order]
            numbers = np.concatenate([shorter_numbers, numbers])[order]
        self._levels.append((hashes, numbers))


def unite(tables: list[Array]) -> tuple[Array, list[Array]]:
    """Makes one table of several.

    Args:
      tables: uint8 (U, 168), each.

    Returns:
      The distinct units, in the order of their first appearance, and int32 (U,) for each of the
      tables, the new numbers of its units.
    """
    capacity = 1 + sum(map(len, tables))

    def unite_with(hash_units: UnitHash) -> tuple[Array, list[Array]]:
        rows = ArrayInMemory(capacity, (BYTES_PER_UNIT,), np.uint8)
        table = Table(rows, hash_units)

        def number(units: Array) -> Array:
            parts = (units[n : n + _UNITS_AT_ONCE] for n in range(0, len(units), _UNITS_AT_ONCE))
            return np.concatenate([table.number(part, hash_units(part)) for part in parts])

        numbers = [number(units) for units in tables]
        return rows.read(), numbers

    return without_collisions(unite_with)
