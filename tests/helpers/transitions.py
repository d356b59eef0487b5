"""Transitions in a form that can be counted."""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import Any

import numpy as np

FIELDS = ("observation", "action", "reward", "discount", "next_observation")


def count_transitions(batches: Iterable[dict[str, Any]]) -> collections.Counter[Any]:
    """Counts each transition, by all its bytes."""
    counter: collections.Counter[Any] = collections.Counter()
    for batch in batches:
        for row in range(len(batch["action"])):
            counter[tuple(np.ascontiguousarray(batch[f][row]).tobytes() for f in FIELDS)] += 1
    return counter


def in_batches(source: Any, size: int = 256) -> Iterable[dict[str, Any]]:
    """All of a source, in order."""
    return (source[start : start + size] for start in range(0, len(source), size))


def assert_same(got: Any, expected: Any, *, but: tuple[str, ...] = ()) -> None:
    """Compares batches."""
    assert set(got) == set(expected)
    for name in set(expected) - set(but):
        np.testing.assert_array_equal(np.asarray(got[name]), expected[name], name)
        assert np.asarray(got[name]).dtype == expected[name].dtype
