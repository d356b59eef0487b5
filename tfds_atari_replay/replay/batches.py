"""The fields of batches, items and episodes.

An item has the same fields as a batch of N items, without the first axis. Arrays are NumPy's, or of
the library that `put` moved them to, whose usual integers may be int32.
"""

from __future__ import annotations

from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

Array = Any
"""An array of NumPy, PyTorch or JAX."""

Batch = dict[str, Array]
"""The fields of N items, by name."""


class Labelled(TypedDict, total=False):
    """Where items are from, with labels=True.

    Attributes:
      dataset: int64 (N,), index into `replay.names`.
      episode: int64 (N,), row of `replay.episodes`.
      step: int64 (N,), index among that episode's logged steps, from 0.
    """

    dataset: Array
    episode: Array
    step: Array


class TransitionBatch(Labelled):
    """N transitions; `TransitionSource` says more.

    Attributes:
      observation: uint8 (N, stack_size, 84, 84).
      action: int64 (N,).
      reward: float32 (N,).
      discount: float32 (N,).
      next_observation: uint8 (N, stack_size, 84, 84).
    """

    observation: Array
    action: Array
    reward: Array
    discount: Array
    next_observation: Array


class SequenceBatch(Labelled):
    """N sequences; `SequenceSource` says more. With labels=True these are (N, length), too.

    Attributes:
      observation: uint8 (N, length, stack_size, 84, 84).
      action: int64 (N, length).
      reward: float32 (N, length).
      return_to_go: float32 (N, length).
      timestep: int64 (N, length).
      mask: bool (N, length).
    """

    observation: Array
    action: Array
    reward: Array
    return_to_go: Array
    timestep: Array
    mask: Array


class EpisodeArrays(TypedDict):
    """The T logged steps of an episode.

    Attributes:
      observation: uint8 (T, 84, 84), the frames in which the actions were taken.
      action: int64 (T,).
      reward: float32 (T,), clipped.
      unclipped_reward: float32 (T,), NaN where unknown, and in datasets of version 1.0.0.
      discount: float32 (T,), 0 if the action ended the game, else 1.
    """

    observation: npt.NDArray[np.uint8]
    action: npt.NDArray[np.int64]
    reward: npt.NDArray[np.float32]
    unclipped_reward: npt.NDArray[np.float32]
    discount: npt.NDArray[np.float32]
