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
    """Chooses uniformly among a game's actions."""

    def __init__(self, game: Game, seed: int):
        self._num_actions = len(game.actions)
        self._rng = np.random.default_rng(seed)

    def __call__(self, observations: Frames) -> Integers:
        """Returns random actions, int64 (batch,)."""
        return self._rng.integers(self._num_actions, size=len(observations))


def check_policy(policy: Policy) -> None:
    """Checks that a policy can be called.

    Raises:
      TypeError: it cannot be called.
    """
    if not callable(policy):
        raise TypeError(
            "policy must be a callable from observations, uint8 (batch, 4, 84, 84), to actions, "
            f"integers (batch,) (got {policy!r})"
        )


def actions_of(policy: Policy, observations: Frames, game: Game) -> Integers:
    """Calls a policy and checks the actions that it returns.

    Returns:
      Action indices, int64 (batch,).

    Raises:
      ValueError: the shape or dtype is wrong, or the game does not have one of the actions.
    """
    actions = np.asarray(policy(observations))
    count = len(observations)
    if actions.shape != (count,) or actions.dtype.kind not in "iu":
        raise ValueError(
            f"The policy must give one integer action per observation: for uint8 "
            f"{observations.shape} integers ({count},), got {actions.dtype} {actions.shape}. "
            "If it gives action values, take their argmax."
        )
    last = len(game.actions) - 1
    if not ((actions >= 0) & (actions <= last)).all():
        wrong = sorted(set(actions.tolist()) - set(range(last + 1)))
        raise ValueError(f"Actions in {game.name} are 0 to {last}; the policy gave {wrong}.")
    return actions.astype(np.int64)
