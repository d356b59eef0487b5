"""The fields of a step besides its frame: what each is, and what becomes of it in a transition."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np


class Field(NamedTuple):
    """A scalar field of a step.

    Attributes:
      name: as in RLDS.
      dtype: in a dataset.
      description: for people.
      value_range: likewise, if there is more to say than the dtype.
      in_transition: `first` if a transition has the value of its first step, `sum` if it has the
        discounted sum over its n_step steps; None if it is not part of transitions.
      packed_dtype: in the packed files of random access; None if it is not kept there.
    """

    name: str
    dtype: Any
    description: str
    value_range: str | None = None
    in_transition: Literal["first", "sum"] | None = None
    packed_dtype: Any = None


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
)
"""The scalar fields of a step, in the dataset's order."""

CARRIED: tuple[Field, ...] = tuple(field for field in STEP if field.in_transition)
"""Those that a transition carries."""

INTEGERS: frozenset[str] = frozenset(
    field.name for field in STEP if np.issubdtype(field.dtype, np.integer)
)
"""The names of those that are integers."""

NEEDED: tuple[str, ...] = (*(field.name for field in CARRIED), "is_first", "is_terminal")
"""The names of those that transitions are made from: the flags say which there are."""
