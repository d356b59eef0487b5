"""The table of distinct units, built on disk."""

from __future__ import annotations

import pathlib
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.replay.packed import BYTES_PER_UNIT, UnitHash

Array = npt.NDArray[Any]


class HashCollisionError(Exception):
    """Two different units have the same hash."""


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
    """The distinct units in a file that grows, found by their hashes. Unit 0 is zeros.

    Units are numbered as they appear, so those that are new in a frame lie side by side, which is
    quicker to read.
    """

    def __init__(self, file: ArrayFile, hash_units: UnitHash):
        self._file = file
        # Sorted, with the number of each unit beside it.
        self._hashes = np.zeros(0, np.uint64)
        self._numbers = np.zeros(0, np.int32)
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
        place = np.searchsorted(self._hashes, distinct)
        is_added = np.append(self._hashes, np.uint64(0))[place] != distinct
        is_added |= place == len(self._hashes)
        numbers = np.append(self._numbers, np.int32(0))[place]
        added = np.sort(first[is_added])
        numbers[is_added] = len(self._file) + np.searchsorted(added, first[is_added])
        self._file.append(units[added])
        self._hashes = np.insert(self._hashes, place[is_added], distinct[is_added])
        self._numbers = np.insert(self._numbers, place[is_added], numbers[is_added])
        found: Array = numbers[inverse]
        if not np.array_equal(np.take(self._file.read(), found, axis=0), units):
            raise HashCollisionError
        return found
