"""Cases of a test: quick ones run in `make test`, the others in longer targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

SLOW = (pytest.mark.slow,)
EXHAUSTIVE = (pytest.mark.slow, pytest.mark.exhaustive)


def cases(*quick: Any, slow: Iterable[Any] = (), exhaustive: Iterable[Any] = ()) -> list[Any]:
    """Returns values for `pytest.mark.parametrize`; tuples are values of several parameters.

    Args:
      *quick: those of `make test`.
      slow: those of `make test-slow`.
      exhaustive: those of `make test-exhaustive`.
    """

    def mark(values: Iterable[Any], marks: tuple[Any, ...]) -> list[Any]:
        return [
            pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=marks)
            for value in values
        ]

    return [*mark(quick, ()), *mark(slow, SLOW), *mark(exhaustive, EXHAUSTIVE)]
