"""Checks of arguments: TypeError for the wrong type, ValueError for the wrong value.

Numbers of NumPy are returned as Python's: theirs overflow, and TensorFlow does not mix them.
"""

from __future__ import annotations

import numbers
from collections.abc import Collection
from typing import Any


def check_whole(name: str, value: Any, *, at_least: int = 1, below: int | None = None) -> int:
    """Returns a whole number, of Python or NumPy, as an int; True is none, and neither is 1.0.

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
    number = int(value)
    if number < at_least or (below is not None and number >= below):
        raise ValueError(f"{name} must be {wanted} (got {value!r})")
    return number


def check_sizes(**sizes: Any) -> list[int]:
    """Returns whole numbers of at least 1, given by name, as ints; see `check_whole`."""
    return [check_whole(name, value) for name, value in sizes.items()]


def check_share(name: str, value: Any) -> float:
    """Returns a number from 0 to 1, of Python or NumPy, as a float.

    Raises:
      TypeError: it is not a number.
      ValueError: it is out of range, or NaN.
    """
    message = f"{name} must be from 0 to 1 (got {value!r})"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(message)
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(message)
    return number


def check_axis(axis: Any) -> int:
    """Returns the axis of the frames in a stack, of Python or NumPy, as an int.

    Raises:
      TypeError: it is not a whole number.
      ValueError: it is neither 0 nor -1.
    """
    message = f"axis must be 0, frames first, or -1, frames last (got {axis!r})"
    if isinstance(axis, bool) or not isinstance(axis, numbers.Integral):
        raise TypeError(message)
    if axis not in (0, -1):
        raise ValueError(message)
    return int(axis)


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
