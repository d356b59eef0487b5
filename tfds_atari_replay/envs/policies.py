"""Policies: functions from stacked observations to actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.envs.protocol import Integers
from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.records import Frames

Policy: TypeAlias = Callable[[Frames], npt.ArrayLike]
"""Maps stacked observations, uint8 (batch, 4, 84, 84) with the oldest frame first, to an action
index for each, integers (batch,)."""


class RandomPolicy:
    """Takes each of a game's actions equally often."""

    def __init__(self, game: Game, seed: int):
        self._num_actions = len(game.actions)
        self._rng = np.random.default_rng(seed)

    def __call__(self, observations: Frames) -> Integers:
        """Returns random actions, int64 (batch,)."""
        return self._rng.integers(self._num_actions, size=len(observations))


def check_policy(policy: Policy) -> None:
    """Checks that a policy can be called.

    Raises:
      TypeError: it cannot.
    """
    if not callable(policy):
        raise TypeError(
            "policy must be a callable from observations, uint8 (batch, 4, 84, 84), to actions, "
            f"integers (batch,) (got {policy!r})"
        )


def actions_of(policy: Policy, observations: Frames, game: Game) -> Integers:
    """Asks a policy for its actions and checks them.

    Returns:
      Action indices, int64 (batch,).

    Raises:
      ValueError: the policy gave another shape or dtype, or an action that the game does not have.
    """
    actions = np.asarray(policy(observations))
    count = len(observations)
    if actions.shape != (count,) or actions.dtype.kind not in "iu":
        raise ValueError(
            f"The policy must give one integer action per observation: for uint8 "
            f"{observations.shape} integers ({count},), got {actions.dtype} {actions.shape}. "
            "If it gives action values, take their argmax."
        )
    choices = range(len(game.actions))
    if not ((actions >= 0) & (actions < len(choices))).all():
        raise ValueError(
            f"Actions in {game.name} are 0 to {choices[-1]}; the policy gave "
            f"{sorted(set(actions.tolist()) - set(choices))}."
        )
    return actions.astype(np.int64)
