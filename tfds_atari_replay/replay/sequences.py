"""Sequences at random, for models such as Decision Transformers."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from tfds_atari_replay import fields
from tfds_atari_replay.replay.gathering import gather_frames
from tfds_atari_replay.replay.packed import Packed, number_steps
from tfds_atari_replay.replay.source import (
    Array,
    Arrays,
    Batch,
    Source,
    default_integer,
    label_episodes,
    take_scalars,
)
from tfds_atari_replay.windows.stacking import Stacking, reach

UNKNOWN_TIME = np.int32(-1)
"""The timestep where a checkpoint cut off the episode's beginning."""


class SequenceColumns(NamedTuple):
    """Where N sequences are, and what is known of all F frames.

    Attributes:
      frame: int32 (N,), the first step's frame.
      size: int32 (N,), steps that are no padding.
      back: int32 (N,), how far before the first step the episode's frame of zeros lies, or further
        than needed.
      timestep: int32 (N,), of the first step; -1 if unknown.
      scalars: `SCALARS` of the packed episodes, by name, (F,).
      return_to_go: float32 (F,), NaN where it is unknown.
      position: int32 (length,), 0, 1, 2 ...
      offset: int32 (stack_size,), ... -2, -1, 0.
      labels: of the first step, see `label_episodes`; empty if they are not asked for.
    """

    frame: Array
    size: Array
    back: Array
    timestep: Array
    scalars: dict[str, Array]
    return_to_go: Array
    position: Array
    offset: Array
    labels: dict[str, Array]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SequenceSource(Source[SequenceColumns]):
    """Sequences of a replay: item i starts at the i-th step whose stack is fully known.

    Every step starts a sequence, as in Decision Transformer (Chen et al., 2021), whose padding this
    follows: sequences that reach the episode's end early are padded with zeros on the left, so
    their last step is always the last column, and `mask` is False there. An item is a dict; in a
    batch (N,) comes first:

        observation: uint8 (length, stack_size, 84, 84), oldest frame first, zeros before a reset.
        action: int64 (length,).
        reward: float32 (length,), clipped; with reward="unclipped", NaN where unknown.
        return_to_go: float32 (length,), sum of rewards from this step to the episode's end. NaN
          where the checkpoint cut off that end, since the future return is unknown; and with
          reward="unclipped", where one of these rewards is unknown.
        timestep: int64 (length,), steps since the reset. -1 where the checkpoint cut off the reset.
        mask: bool (length,), False for padding.

    With labels=True also, each int64 (length,), -1 in the padding:

        dataset: index into `replay.names`.
        episode: row of `replay.episodes`.
        step: its place among that episode's logged steps, from 0.

    With axis=-1 observations are (length, 84, 84, stack_size), a transposed view. Terminal states
    are no steps here, since no action was taken in them.

    Attributes:
      steps: in each sequence.
      stack_size: frames per observation.
      axis: of the frames in an observation, 0 or -1.
      reward: "clipped" or "unclipped".
    """

    steps: int
    stack_size: int
    axis: int
    reward: str

    def _gather(self, arrays: Arrays, indices: Array) -> Batch:
        columns: SequenceColumns = arrays.columns
        xp: Any = array_api_compat.array_namespace(columns.frame)

        def take(column: Array) -> Array:
            return xp.take(column, indices, axis=0)[:, None]

        # Steps since the sequence's first; negative in the padding.
        step = columns.position - (columns.position.shape[0] - take(columns.size))
        mask = step >= 0
        # Frame 0 is a frame of zeros, without action and reward.
        frame = xp.where(mask, take(columns.frame) + step, 0)
        back = xp.where(mask, take(columns.back) + step, 0)
        frames = frame[..., None] + reach(columns.offset, back[..., None], xp.maximum)
        observation = gather_frames(
            arrays.units, arrays.index, xp.where(mask[..., None], frames, 0)
        )
        stacking = Stacking(self.stack_size, self.axis)
        first = take(columns.timestep)
        timestep = xp.where(first == UNKNOWN_TIME, UNKNOWN_TIME, first + step)
        scalars = {**columns.scalars, "return_to_go": columns.return_to_go}
        labels = {
            name: take(column) + (step if name == "step" else 0)
            for name, column in columns.labels.items()
        }
        taken = take_scalars(xp, scalars, xp.reshape(frame, (-1,)))
        return {
            "observation": stacking.to_axis(observation, xp.permute_dims),
            **{name: xp.reshape(column, frame.shape) for name, column in taken.items()},
            "timestep": xp.astype(xp.where(mask, timestep, 0), default_integer(xp)),
            "mask": mask,
            **{
                name: xp.astype(xp.where(mask, column, -1), default_integer(xp))
                for name, column in labels.items()
            },
        }


def make_sequences(
    packed: Packed,
    chosen: Array,
    *,
    length: int,
    stack_size: int,
    axis: int,
    reward: str,
    dataset: Array | None = None,
) -> SequenceSource:
    """Lists the sequences of some episodes.

    Args:
      packed: the episodes.
      chosen: integers (E,), which of them.
      length: steps in a sequence.
      stack_size: frames per observation.
      axis: of the frames in an observation.
      reward: "clipped" or "unclipped".
      dataset: integers (E,), whose the episodes are, if sequences are to have labels.
    """
    scalars = {name: packed.scalars[field] for name, field in fields.carried(reward).items()}
    spans = packed.spans[chosen]
    # Without the terminal state.
    steps = spans["steps"] - spans["ends_in_terminal"]
    owner, within = number_steps(steps)
    starts_at_reset = spans["starts_at_reset"][owner]
    is_start = starts_at_reset | (within >= stack_size - 1)
    owner, within, starts_at_reset = owner[is_start], within[is_start], starts_at_reset[is_start]
    columns = SequenceColumns(
        frame=(spans["start"][owner] + within).astype(np.int32),
        size=np.minimum(steps[owner] - within, np.int64(length)).astype(np.int32),
        back=np.minimum(within + 1, np.int64(stack_size)).astype(np.int32),
        timestep=np.where(starts_at_reset, within.astype(np.int32), UNKNOWN_TIME),
        scalars=scalars,
        return_to_go=_returns_to_go(packed, scalars["reward"]),
        position=np.arange(length, dtype=np.int32),
        offset=Stacking(stack_size).offsets,
        labels={} if dataset is None else label_episodes(dataset, owner, within),
    )
    return SequenceSource(packed, columns, len(owner), length, stack_size, axis, reward)


def _returns_to_go(packed: Packed, reward: Array) -> Array:
    """Sums up the rewards (F,) from each frame on to its episode's end, float32 (F,)."""
    return_to_go = np.zeros(len(reward), np.float32)
    for span in packed.spans:
        steps = slice(span["start"], span["start"] + span["steps"])
        if span["ends_in_terminal"]:
            return_to_go[steps] = reward[steps][::-1].cumsum(dtype=np.float64)[::-1]
        else:
            return_to_go[steps] = np.nan
    return return_to_go
