"""Tables of distinct rows: each is stored once, and found again by its hash."""

from __future__ import annotations

import pathlib
from typing import IO, Any

import numpy as np
import numpy.typing as npt

HEIGHT, WIDTH = 84, 84
ROWS_PER_UNIT = 2
UNITS_PER_FRAME = HEIGHT // ROWS_PER_UNIT
BYTES_PER_UNIT = ROWS_PER_UNIT * WIDTH
UNITS_PER_GROUP = 7
GROUPS_PER_FRAME = UNITS_PER_FRAME // UNITS_PER_GROUP

Array = npt.NDArray[Any]


class HashCollisionError(Exception):
    """Two different rows have the same hash."""


class RowHash:
    """Hashes rows: the sum of their words, each multiplied by a random odd number of 64 bits."""

    def __init__(self, seed: int):
        self._seed = seed

    def __call__(self, rows: Array) -> Array:
        """Hashes (N, M) of any type, 4 or 8 bytes at a time, to uint64 (N,)."""
        words: Array = rows.view(np.uint64 if rows.itemsize * rows.shape[1] % 8 == 0 else np.uint32)
        # Multiplication carries bits upwards only, so bring the upper half down first.
        mixed = words ^ (words >> (4 * words.itemsize))
        hashes: Array = mixed @ self._factors(words.shape[1])
        return hashes

    def _factors(self, count: int) -> Array:
        factors = np.random.default_rng(self._seed).integers(2**63, size=count, dtype=np.uint64)
        return factors * np.uint64(2) + np.uint64(1)


class ArrayFile:
    """An .npy file that rows are appended to."""

    def __init__(self, path: pathlib.Path, row_shape: tuple[int, ...], dtype: Any):
        self._path = path
        self.row_shape = row_shape
        self.dtype = np.dtype(dtype)
        self._length = 0
        self._file: IO[bytes] = path.open("w+b")
        self._write_header()
        self._start = self._file.tell()

    def __len__(self) -> int:
        return self._length

    def append(self, rows: Array) -> None:
        """Appends rows."""
        self._file.write(rows.astype(self.dtype, copy=False).tobytes())
        self._length += len(rows)

    def read(self) -> Array:
        """Maps all rows appended so far; there must be at least one."""
        self._file.flush()
        shape = (self._length, *self.row_shape)
        return np.memmap(self._path, self.dtype, "r", self._start, shape)

    def close(self) -> None:
        """Writes the header again, now with the length. NumPy's headers leave room for that."""
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._start:
            raise AssertionError("NumPy's header left no room for the length.")
        self._file.close()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self._length, *self.row_shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)


class Table:
    """Distinct rows, numbered as they appear. Row 0 is zeros.

    Rows that are new in a frame lie side by side, which is quicker to read. Hashes are kept in
    sorted levels, each at least twice as long as the next; short ones are merged. So each hash is
    copied some 20 times in all, and the time of a look-up hardly grows with the table. Hashes and
    numbers take 12 bytes a distinct row, twice that while two levels are merged.
    """

    def __init__(self, file: ArrayFile, hash_rows: RowHash):
        self._file = file
        self._hash_rows = hash_rows
        self._levels: list[tuple[Array, Array]] = []
        self.number(np.zeros((1, *file.row_shape), file.dtype))

    def number(self, rows: Array, hashes: Array | None = None) -> Array:
        """Looks up rows, and adds those that are new.

        Args:
          rows: (N, M), as the file has them.
          hashes: uint64 (N,), if they are known already.

        Returns:
          Their numbers, int32 (N,). Each row was compared with the one that has its number.

        Raises:
          HashCollisionError: two different rows have the same hash.
        """
        hashes = self._hash_rows(rows) if hashes is None else hashes
        distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        numbers = np.full(len(distinct), -1, np.int32)
        for known, known_numbers in self._levels:
            # Without the last, so that the index of a hash above all is not out of range.
            index = np.searchsorted(known[:-1], distinct)
            is_known = known[index] == distinct
            numbers[is_known] = known_numbers[index[is_known]]
        is_added = numbers < 0
        added = np.sort(first[is_added])
        numbers[is_added] = len(self._file) + np.searchsorted(added, first[is_added])
        self._file.append(rows[added])
        self._add_level(distinct[is_added], numbers[is_added])
        found: Array = numbers[inverse]
        if not np.array_equal(np.take(self._file.read(), found, axis=0), rows):
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
