"""Which items an index gives: one table for NumPy, PyTorch and JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Asarray = Callable[[Any], Any]
"""Makes an array of the library that is tested, from one of NumPy."""


def check_good(source: Any, reference: Any, asarray: Asarray) -> None:
    """Compares what every kind of index gives with rows of all items of the NumPy source."""
    whole = reference[np.arange(len(reference))]
    dtypes = {name: array.dtype for name, array in source[[0]].items()}
    for index, items in _good(len(source), asarray):
        got = source[index]
        assert set(got) == set(whole)
        for name, array in whole.items():
            expected = array[items]
            assert got[name].dtype == dtypes[name], (index, name)
            assert tuple(got[name].shape) == expected.shape, (index, name)
            np.testing.assert_array_equal(_numpy(got[name]), expected, f"{index!r}: {name}")


def check_bad(source: Any, asarray: Asarray) -> None:
    """Checks what is refused, and that the error says what to give instead."""
    for index, message in _bad(len(source), asarray):
        with pytest.raises(IndexError, match=message):
            print(f"{index!r} gave", source[index])


def check_iteration(source: Any, reference: Any) -> None:
    """Compares the items of a loop over a source with those of the NumPy source."""
    whole, items = reference[np.arange(len(reference))], []
    for item in source:
        items.append(item)
        assert len(items) <= len(reference)
    for name, array in whole.items():
        got = np.stack([_numpy(item[name]) for item in items])
        np.testing.assert_array_equal(got, array, name)


def _good(length: int, asarray: Asarray) -> list[tuple[Any, int | list[int]]]:
    last = length - 1
    some = np.array([3, last, 3])
    read_only = some.copy()
    read_only.setflags(write=False)
    return [
        (0, 0),
        (last, last),
        (np.uint8(7), 7),
        (np.array(7), 7),
        (asarray(np.array(7)), 7),
        ([3, last, 3], [3, last, 3]),
        ((3, 9), [3, 9]),
        (range(3, 9, 2), [3, 5, 7]),
        (some, [3, last, 3]),
        (read_only, [3, last, 3]),
        (some[::-1], [3, last, 3]),
        (some.astype(np.uint64), [3, last, 3]),
        (some.astype(">i4"), [3, last, 3]),
        (asarray(some), [3, last, 3]),
        (asarray(some.astype(np.int32)), [3, last, 3]),
        (asarray(np.array([3, 100], np.int8)), [3, 100]),
        (asarray(np.array([3, 200], np.uint8)), [3, 200]),
        ([], []),
        ((), []),
        (range(0), []),
        (np.zeros(0, np.int64), []),
        (asarray(np.zeros(0, np.int64)), []),
        (slice(-3, None), [length - 3, length - 2, length - 1]),
        (slice(9, 9), []),
        (slice(5, 2, -1), [5, 4, 3]),
        (slice(last, length + 10), [last]),
        (slice(length, None), []),
    ]


def _bad(length: int, asarray: Asarray) -> list[tuple[Any, str]]:
    in_range = f"from 0 to {length - 1}, got"
    mask = r"integer indices, got .*bool.*np.flatnonzero\(mask\)"
    flat = r"indices of the shape \(N,\), got \(1, 2\).*reshape\(-1\)"
    return [
        (length, f"{in_range} {length}"),
        (-1, f"{in_range} -1.*do not count from the end; slices do"),
        (np.int64(-1), f"{in_range} -1"),
        (np.array(length), f"{in_range} {length}"),
        ([3, length], f"{in_range} {length}"),
        (np.array([3, -length]), f"{in_range} -{length}"),
        (True, mask),
        (np.True_, mask),
        (np.ones(length, np.bool_), mask),
        ([True, False], mask),
        (np.zeros(0, np.bool_), mask),
        (asarray(np.array(True)), mask),
        (asarray(np.ones(length, np.bool_)), mask),
        (2.0, "integer indices, got float64: 2.0"),
        ([0.5], "integer indices, got float64"),
        (np.zeros(0), "integer indices, got float64"),
        (asarray(np.array([1.0, 2.0], np.float32)), "integer indices, got .*float32"),
        (None, "integer indices, got object: None"),
        (..., "integer indices, got object: Ellipsis"),
        ("7", "integer indices, got <U1: 7"),
        ([[1, 2]], flat),
        (np.array([[1, 2]]), flat),
        (asarray(np.array([[1, 2]])), flat),
        ([[]], r"got \(1, 0\)"),
        ([1, [2, 3]], "integer indices, got .*1, .2, 3"),
    ]


def _numpy(array: Any) -> Any:
    return np.asarray(array.cpu() if hasattr(array, "cpu") else array)
