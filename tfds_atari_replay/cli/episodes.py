"""Queries of a built dataset."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
import tqdm

from tfds_atari_replay import blocks


@dataclasses.dataclass(frozen=True)
class EpisodeSummary:
    """An episode without its steps.

    Attributes:
      id: its `episode_id`.
      steps: logged steps, excluding the terminal state.
      score: return, of clipped rewards.
      is_complete: whether it goes from a reset to a terminal.
    """

    id: int
    steps: int
    score: float
    is_complete: bool


def summarize(builder: Any) -> list[EpisodeSummary]:
    """Lists the episodes of a dataset in time order; reads one column, and unpacks no frame."""
    field = builder.info.features["steps"].feature.get_tensor_info()["is_terminal"]
    stored = builder.as_dataset(split="train", decoders={"steps": tfds.decode.SkipDecoding()})
    found = []
    for episode in tqdm.tqdm(tfds.as_numpy(stored), desc="Reading", unit=" episodes", disable=None):
        is_terminal = blocks.unpack_column_np(episode["steps"]["is_terminal"], field)
        found.append(
            EpisodeSummary(
                int(episode["episode_id"]),
                len(is_terminal) - int(is_terminal[-1]),
                float(episode["episode_return"]),
                bool(episode["is_complete"]),
            )
        )
    return sorted(found, key=lambda episode: episode.id)


def read_steps(builder: Any, episode: EpisodeSummary) -> dict[str, Any]:
    """Reads an episode's logged steps, as an array for each field."""
    picked = builder.as_dataset(split="train").filter(lambda one: one["episode_id"] == episode.id)
    steps = list(tfds.as_numpy(next(iter(picked))["steps"].take(episode.steps)))
    return {name: np.array([step[name] for step in steps]) for name in steps[0]}
