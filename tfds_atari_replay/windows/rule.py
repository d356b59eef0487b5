"""The one rule: which windows of an episode are whole, with which reward and discount.

A transition needs a window of stack_size + n_step frames. With stack_size=3 and n_step=2, the
transition of step c is made of

  frames            a b c d e
  observation      [a b c]
  action, reward        x y      of c, and of the n_step steps from c on
  next_observation     [c d e]   n_step steps later

It exists if the log says what a and b were (zeros before a reset) and how the n_step steps went
(until e, or a terminal before). The rule below is written once, for NumPy and for TensorFlow, whose
functions of the same meaning are passed in as `Ops`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfds_atari_replay import fields
from tfds_atari_replay._extras import tensorflow as tf

_ZERO = np.float32(0)
SUMMED: frozenset[str] = frozenset(
    field.name for field in fields.CARRIED if field.in_transition == "sum"
)
"""The names of the fields that a transition has summed."""

Array = Any
"""A NumPy array or a tensor."""


class Ops(NamedTuple):
    """The functions that the rule needs, besides operators and slices."""

    where: Callable[..., Array]
    pad: Callable[..., Array]
    ones_like: Callable[..., Array]


NUMPY_OPS = Ops(np.where, np.pad, np.ones_like)


def tensorflow_ops() -> Ops:
    """Returns TensorFlow's."""
    return Ops(tf.where, tf.pad, tf.ones_like)


class Columns(NamedTuple):
    """What the rule looks at, for steps in a row, each (steps,).

    Attributes:
      scalars: the fields that transitions carry, by name.
      is_terminal: bool.
      is_real: bool, False for padding.
      is_known: bool, False where the checkpoint cut off the history.
    """

    scalars: dict[str, Array]
    is_terminal: Array
    is_real: Array
    is_known: Array


class Starts(NamedTuple):
    """For each step, the transition that starts there, each (steps,).

    Attributes:
      scalars: the fields that transitions carry, by name: the step's own, or the sum of
        gamma**k * value over n_step steps, or up to the episode's end; see `fields`.
      discount: float32, gamma**n_step, or 0 if the episode ended within these steps.
      is_valid: bool, whether there is a transition.
    """

    scalars: dict[str, Array]
    discount: Array
    is_valid: Array


@dataclasses.dataclass(frozen=True)
class Window:
    """The window of a transition, and which of `fields.REWARDS` it sums."""

    stack_size: int
    n_step: int
    gamma: float
    reward: str = "clipped"

    @property
    def length(self) -> int:
        """Frames in the window."""
        return self.stack_size + self.n_step

    @property
    def discount(self) -> float:
        """Of a next state that is not behind the episode's end."""
        return self.gamma**self.n_step

    def pad(
        self,
        *,
        scalars: dict[str, Array],
        is_terminal: Array,
        is_first: Array,
        before: int,
        after: int | Array,
        ops: Ops,
    ) -> Columns:
        """Adds padding around the steps of a whole episode; its history is known after a reset.

        Args:
          scalars: the fields that transitions carry, by name, (T,).
          is_terminal: (T,).
          is_first: (T,).
          before: how many steps to put before.
          after: how many steps to put after.
          ops: of the arrays.

        Returns:
          Columns (before + T + after,).
        """
        around = [[before, after]]
        ones = ops.ones_like(is_terminal)
        is_known = ops.pad(ones, [[0, after]])
        return Columns(
            {name: ops.pad(column, around) for name, column in scalars.items()},
            ops.pad(is_terminal, around),
            ops.pad(ones, around),
            ops.pad(is_known, [[before, 0]], constant_values=is_first[0]),
        )

    def starts(self, columns: Columns, count: int | Array, ops: Ops) -> Starts:
        """Applies the rule.

        Args:
          columns: (stack_size - 1 + count + n_step,): the steps in question, those their stacks
            reach back to, and those they look ahead to.
          count: how many steps are in question.
          ops: of the arrays.

        Returns:
          Starts (count,).
        """
        first = self.stack_size - 1
        scalars = {name: column[first:] for name, column in columns.scalars.items()}
        others = {name: column[:count] for name, column in scalars.items() if name not in SUMMED}
        is_terminal = columns.is_terminal[first:]
        sums, is_over = self.sum_ahead(
            {name: column for name, column in scalars.items() if name in SUMMED},
            is_terminal,
            count,
            ops,
        )
        is_real = columns.is_real[first:]
        has_future = is_over | is_real[self.n_step : self.n_step + count]
        is_step = is_real[:count] & ~is_terminal[:count]
        return Starts(
            {**others, **sums},
            ops.where(is_over, _ZERO, np.float32(self.discount)),
            is_step & columns.is_known[:count] & has_future,
        )

    def sum_ahead(
        self, scalars: dict[str, Array], is_terminal: Array, count: int | Array, ops: Ops
    ) -> tuple[dict[str, Array], Array]:
        """Sums up the values of n_step steps, or of those up to the episode's end.

        Args:
          scalars: what to sum, by name, (count + n_step,).
          is_terminal: (count + n_step,).
          count: how many sums.
          ops: of the arrays.

        Returns:
          The discounted sums by name, (count,), and whether the episode ended, (count,).
        """
        sums = {name: column[:count] for name, column in scalars.items()}
        is_over = is_terminal[1 : 1 + count]
        for number in range(1, self.n_step):
            for name, column in scalars.items():
                discounted = np.float32(self.gamma**number) * column[number : number + count]
                sums[name] = sums[name] + ops.where(is_over, _ZERO, discounted)
            is_over = is_over | is_terminal[number + 1 : number + 1 + count]
        return sums, is_over

    def stretches(
        self, steps: Array, starts_at_reset: Array, ends_in_terminal: Array
    ) -> tuple[Array, Array]:
        """Applies the rule to whole episodes, whose transitions are an unbroken stretch each.

        Args:
          steps: int (E,), with the terminal state.
          starts_at_reset: bool (E,).
          ends_in_terminal: bool (E,).

        Returns:
          The first step that starts a transition, and the one after the last, int64 (E,) each.
        """
        first = np.where(starts_at_reset, 0, self.stack_size - 1)
        stop = steps - np.where(ends_in_terminal, 1, self.n_step)
        return first, np.maximum(stop, first)
