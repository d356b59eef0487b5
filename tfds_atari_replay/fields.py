"""The scalar fields of steps and episodes.

A field is declared only here: the dataset, transitions and packed files follow.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

VERSION = "1.1.0"
"""The dataset's version, which has all of these fields."""


class Field(NamedTuple):
    """A scalar field of a step or an episode.

    Attributes:
      name: the field's name in RLDS.
      dtype: its dtype in a dataset.
      description: what it means, for documentation.
      value_range: its range, for documentation, unless the dtype says enough.
      in_transition: `first` if a transition has the value of its first step, `sum` if it has the
        discounted sum over its n_step steps; None if transitions do not have it.
      packed_dtype: its dtype in the packed files of random access; None if they do not have it.
      since: the first version of the dataset that has it.
    """

    name: str
    dtype: Any
    description: str
    value_range: str | None = None
    in_transition: Literal["first", "sum"] | None = None
    packed_dtype: Any = None
    since: str = "1.0.0"


STEP: tuple[Field, ...] = (
    Field(
        "action",
        np.int64,
        "Index into the game's minimal action set.",
        "[0, 17]",
        in_transition="first",
        packed_dtype=np.uint8,
    ),
    Field(
        "reward",
        np.float32,
        "Clipped reward of the action.",
        "[-1, 1]",
        in_transition="sum",
        packed_dtype=np.float32,
    ),
    Field("discount", np.float32, "0 if the action ended the game.", "{0, 1}"),
    Field("is_first", np.bool_, "First step after a reset."),
    Field("is_last", np.bool_, "Last known step of the episode."),
    Field("is_terminal", np.bool_, "State after the end; only flags are valid."),
    Field(
        "unclipped_reward",
        np.float32,
        "Reward of the action in the game's own points. NaN if the frames do not tell.",
        packed_dtype=np.float32,
        since="1.1.0",
    ),
)
"""The scalar fields of a step, in the dataset's order."""

EPISODE: tuple[Field, ...] = (
    Field("episode_id", np.int64, "Order in time, from 0."),
    Field("checkpoint_id", np.int64, "Number of the checkpoint."),
    Field("episode_return", np.float32, "Sum of the clipped rewards."),
    Field("is_complete", np.bool_, "Whether it is whole, from reset to terminal."),
    Field(
        "unclipped_return",
        np.float32,
        "Sum of the unclipped rewards. NaN if it is not known.",
        since="1.1.0",
    ),
)
"""The scalar fields of an episode, in the dataset's order."""

CARRIED: tuple[Field, ...] = tuple(field for field in STEP if field.in_transition)
"""The fields of a step that a transition carries."""

INTEGERS: frozenset[str] = frozenset(
    field.name for field in STEP if np.issubdtype(field.dtype, np.integer)
)
"""The names of the integer fields of a step."""

FLAGS = ("is_first", "is_terminal")
"""The fields of a step that determine which transitions exist."""

REWARDS: dict[str, str] = {"clipped": "reward", "unclipped": "unclipped_reward"}
"""What a transition's reward can be made of, and the field of a step that holds it."""


def carried(reward: str) -> dict[str, str]:
    """Maps fields of transitions to the fields of steps they are made of, for one of `REWARDS`."""
    return {field.name: field.name for field in CARRIED} | {"reward": REWARDS[reward]}


def needed(reward: str) -> tuple[str, ...]:
    """Returns the names of the scalar fields of steps that transitions are made of."""
    return (*carried(reward).values(), *FLAGS)
