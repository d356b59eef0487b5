"""Checks of arguments: TypeError for the wrong type, ValueError for the wrong value."""

from __future__ import annotations

import numbers
from collections.abc import Collection
from typing import Any


def check_whole(name: str, value: Any, *, at_least: int = 1, below: int | None = None) -> None:
    """Checks a whole number, of Python or NumPy; True is none, and neither is 1.0.

    Args:
      name: of the argument, for the message.
      value: what was given.
      at_least: the lowest value.
      below: above the highest value; None if there is no highest.

    Raises:
      TypeError: it is not a whole number.
      ValueError: it is out of range.
    """
    wanted = f"a whole number, at least {at_least:,}"
    if below is not None:
        wanted += f" and below {below:,}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be {wanted} (got {value!r})")
    if int(value) < at_least or (below is not None and int(value) >= below):
        raise ValueError(f"{name} must be {wanted} (got {value!r})")


def check_sizes(**sizes: Any) -> None:
    """Checks whole numbers of at least 1, by name; see `check_whole`."""
    for name, value in sizes.items():
        check_whole(name, value)


def check_share(name: str, value: Any) -> None:
    """Checks a number from 0 to 1.

    Raises:
      TypeError: it is not a number.
      ValueError: it is out of range, or NaN.
    """
    message = f"{name} must be from 0 to 1 (got {value!r})"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(message)
    if not 0 <= float(value) <= 1:
        raise ValueError(message)


def check_axis(axis: Any) -> None:
    """Checks the axis of the frames in a stack.

    Raises:
      TypeError: it is not a whole number.
      ValueError: it is neither 0 nor -1.
    """
    message = f"axis must be 0, frames first, or -1, frames last (got {axis!r})"
    if isinstance(axis, bool) or not isinstance(axis, numbers.Integral):
        raise TypeError(message)
    if axis not in (0, -1):
        raise ValueError(message)


def check_choice(name: str, value: Any, choices: Collection[str | None]) -> None:
    """Checks a name, or None where that is a choice.

    Raises:
      TypeError: it is not a string.
      ValueError: it is none of the choices.
    """
    if value in choices:
        return
    *others, last = map(repr, choices)
    message = f"{name} must be {', '.join(others)} or {last} (got {value!r})"
    if not isinstance(value, str):
        raise TypeError(message)
    raise ValueError(message)


def check_text(name: str, value: Any) -> None:
    """Raises TypeError unless a value is a string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string (got {value!r})")
