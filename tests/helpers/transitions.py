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
