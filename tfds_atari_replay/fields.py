"""The fields of a step besides its frame, and of an episode besides its steps.

A field is declared here only: the dataset, transitions and packed files have what this says.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

VERSION = "1.1.0"
"""The dataset's version that has all of them."""


class Field(NamedTuple):
    """A scalar field of a step or an episode.

    Attributes:
      name: as in RLDS.
      dtype: in a dataset.
      description: for people.
      value_range: likewise, if there is more to say than the dtype.
      in_transition: `first` if a transition has the value of its first step, `sum` if it has the
        discounted sum over its n_step steps; None if it is not part of transitions.
      packed_dtype: in the packed files of random access; None if it is not kept there.
      since: the dataset's version that has it first.
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
"""Those of a step that a transition carries."""

INTEGERS: frozenset[str] = frozenset(
    field.name for field in STEP if np.issubdtype(field.dtype, np.integer)
)
"""The names of those of a step that are integers."""

FLAGS = ("is_first", "is_terminal")
"""Those of a step that say which transitions there are."""

REWARDS: dict[str, str] = {"clipped": "reward", "unclipped": "unclipped_reward"}
"""The fields of a step that a transition's reward can be made of."""


def carried(reward: str) -> dict[str, str]:
    """Returns the field of a step by that of a transition, for one of `REWARDS`."""
    return {field.name: field.name for field in CARRIED} | {"reward": REWARDS[reward]}


def needed(reward: str) -> tuple[str, ...]:
    """Returns the scalar fields of steps that transitions are made of."""
    return (*carried(reward).values(), *FLAGS)
