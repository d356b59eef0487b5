"""What a source takes as an index, for any array library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

GOOD: dict[str, tuple[Any, Any]] = {
    "int": (7, 7),
    "NumPy int": (np.uint8(7), 7),
    "0-d array": (np.array(7), 7),
    "list": ([3, 5, 3], [3, 5, 3]),
    "tuple": ((3, 5), [3, 5]),
    "range": (range(2, 9, 3), [2, 5, 8]),
    "int32": (np.array([3, 5], np.int32), [3, 5]),
    "array backwards": (np.arange(9)[::-4], [8, 4, 0]),
    "uint64": (np.array([3, 5], np.uint64), [3, 5]),
    "slice": (slice(2, 9, 3), [2, 5, 8]),
    "slice from the end": (slice(-3, None), [17, 18, 19]),
    "slice backwards": (slice(None, None, -9), [19, 10, 1]),
    "empty slice": (slice(9, 9), []),
    "slice beyond the end": (slice(99, None), []),
    "empty list": ([], []),
    "empty array": (np.zeros(0, np.int64), []),
}
"""Indices into a source of 20 items, and what they mean."""

BAD: dict[str, tuple[Any, str]] = {
    "too large": (20, r"from 0 to 19, got 20"),
    "one too large": ([3, 20], r"from 0 to 19, got 20"),
    "negative": (-1, r"from 0 to 19, got -1\. Negative ones do not count from the end"),
    "one negative": (np.array([3, -20]), r"got -20"),
    "float": (2.0, r"integer indices, got float64: 2.0"),
    "floats": ([0.5], r"integer indices, got float64"),
    "bool": (True, r"integer indices, got bool: True"),
    "NumPy bool": (np.True_, r"integer indices, got bool"),
    "mask": (np.ones(20, np.bool_), r"got bool\. For a mask, give its np\.flatnonzero"),
    "empty mask": (np.ones(0, np.bool_), r"got bool\. For a mask, give its np\.flatnonzero"),
    "two dimensions": ([[1, 2]], r"got \(1, 2\)"),
    "no dimension to speak of": (np.zeros((0, 2), int), r"got \(0, 2\)"),
    "lists of different lengths": ([[1], [2, 3]], r"integer indices, got \[\[1\], \[2, 3\]\]"),
    "None": (None, r"integer indices, got object: None"),
    "text": ("7", r"integer indices, got <U1: '7'"),
}
"""What is refused, and what the error says."""


def check_indices(source: Any, there: Any, as_array: Callable[[Any], Any]) -> None:
    """Compares what `there` gives with what `source` gives item by item.

    Args:
      source: 20 items, in NumPy.
      there: the same where `as_array` puts them.
      as_array: makes an array of that library.
    """
    assert len(source) == len(there) == 20
    items = [source[index] for index in range(20)]
    for index, expected in GOOD.values():
        _compare(there[index], items, expected)
        if isinstance(index, np.ndarray) and index.dtype != np.uint64:
            _compare(there[as_array(index)], items, expected)
    for index, message in BAD.values():
        with pytest.raises(IndexError, match=message):
            there[index]
    for values in (np.ones(20, np.bool_), np.True_, np.array([0.5]), np.ones((1, 2), int)):
        with pytest.raises(IndexError, match=r"Expected (integer|one index)"):
            there[as_array(values)]
    for number, got in enumerate(there):
        _compare(got, items, number)


def _compare(got: Any, items: list[Any], expected: int | list[int]) -> None:
    for name, first in items[0].items():
        if isinstance(expected, int):
            wanted = np.asarray(items[expected][name])
        else:
            wanted = np.array([items[i][name] for i in expected], first.dtype)
            wanted = wanted.reshape(len(expected), *first.shape)
        if wanted.dtype == np.int64:  # int32 in JAX
            wanted = wanted.astype(np.asarray(got[name]).dtype)
        np.testing.assert_array_equal(np.asarray(got[name]), wanted, strict=True)


def sources_of(replay: Any) -> list[Any]:
    """Transitions and sequences, 20 each, of a replay of one episode of 20 steps."""
    return [
        replay.transitions(),
        replay.transitions(stack_size=2, n_step=3, axis=-1),
        replay.sequences(7),
        replay.sequences(3, stack_size=1, axis=-1),
    ]
