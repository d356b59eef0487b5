"""The one rule: which transitions of an episode are complete, with which reward and discount.

A transition needs a window of stack_size + n_step frames. With stack_size=3 and n_step=2, the
transition of step c is made of

  frames            a b c d e
  observation      [a b c]
  action, reward        x y      of c, and of the n_step steps from c on
  next_observation     [c d e]   n_step steps later

It exists if the log holds a and b (or the episode begins with a reset, which puts zeros in their
place), and either e or a terminal state before it. The rule works on NumPy arrays and on tensors:
with tensors, pass `tf.where` as `where`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfds_atari_replay import fields

_ZERO = np.float32(0)
SUMMED: frozenset[str] = frozenset(
    field.name for field in fields.CARRIED if field.in_transition == "sum"
)
"""The names of the fields that a transition sums over its steps."""

Array = Any
"""A NumPy array or a tensor."""


class Columns(NamedTuple):
    """Consecutive steps of an episode, as the rule needs them, each (steps,).

    Attributes:
      scalars: the fields that transitions carry, by name.
      is_terminal: bool.
      is_real: bool, False for padding.
    """

    scalars: dict[str, Array]
    is_terminal: Array
    is_real: Array


class Starts(NamedTuple):
    """The transition that starts at each step, each (steps,).

    Attributes:
      scalars: the fields that transitions carry, by name: the step's own value, or the sum of
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
        """The discount of a transition that does not reach the episode's end."""
        return self.gamma**self.n_step

    def starts(
        self,
        columns: Columns,
        starts_at_reset: bool | Array,
        count: int | Array,
        where: Callable[..., Array] = np.where,
    ) -> Starts:
        """Applies the rule.

        Args:
          columns: (stack_size - 1 + count + n_step,): the steps in question, those their stacks
            reach back to, and those they look ahead to.
          starts_at_reset: bool (), whether the episode begins with a reset.
          count: how many steps are in question.
          where: the array library's function.

        Returns:
          Starts (count,).
        """
        first = self.stack_size - 1
        scalars = {name: column[first:] for name, column in columns.scalars.items()}
        is_terminal = columns.is_terminal[first:]
        sums, is_over = self.sum_ahead(
            {name: column for name, column in scalars.items() if name in SUMMED},
            is_terminal,
            count,
            where,
        )
        is_real = columns.is_real[first:]
        has_history = columns.is_real[:count] | starts_at_reset
        has_future = is_over | is_real[self.n_step : self.n_step + count]
        is_step = is_real[:count] & ~is_terminal[:count]
        return Starts(
            {name: column[:count] for name, column in scalars.items()} | sums,
            where(is_over, _ZERO, np.float32(self.discount)),
            is_step & has_history & has_future,
        )

    def sum_ahead(
        self,
        scalars: dict[str, Array],
        is_terminal: Array,
        count: int | Array,
        where: Callable[..., Array] = np.where,
    ) -> tuple[dict[str, Array], Array]:
        """Sums values over n_step steps, or up to the episode's end.

        Args:
          scalars: what to sum, by name, (count + n_step,).
          is_terminal: (count + n_step,).
          count: how many sums.
          where: the array library's function.

        Returns:
          The discounted sums by name, (count,), and whether the episode ended, (count,).
        """
        sums = {name: column[:count] for name, column in scalars.items()}
        is_over = is_terminal[1 : 1 + count]
        for step in range(1, self.n_step):
            for name, column in scalars.items():
                discounted = np.float32(self.gamma**step) * column[step : step + count]
                sums[name] = sums[name] + where(is_over, _ZERO, discounted)
            is_over = is_over | is_terminal[step + 1 : step + 1 + count]
        return sums, is_over

    def stretches(
        self, steps: Array, starts_at_reset: Array, ends_in_terminal: Array
    ) -> tuple[Array, Array]:
        """Applies the rule to whole episodes: each one's transitions start at consecutive steps.

        Args:
          steps: int (E,), including the terminal state.
          starts_at_reset: bool (E,).
          ends_in_terminal: bool (E,).

        Returns:
          The first step that starts a transition, and one past the last, int64 (E,) each.
        """
        first = np.where(starts_at_reset, 0, self.stack_size - 1)
        stop = steps - np.where(ends_in_terminal, 1, self.n_step)
        return first, np.maximum(stop, first)
