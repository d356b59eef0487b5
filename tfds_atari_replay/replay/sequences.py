"""Sequences at random, for models such as Decision Transformers."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from tfds_atari_replay import fields
from tfds_atari_replay.replay import items
from tfds_atari_replay.replay.batches import Array, Batch, SequenceBatch
from tfds_atari_replay.replay.gathering import gather_frames, gather_into
from tfds_atari_replay.replay.indices import default_integer
from tfds_atari_replay.replay.items import Episodes
from tfds_atari_replay.replay.source import Arrays, Source
from tfds_atari_replay.windows.stacking import reach

UNKNOWN_TIME = np.int32(-1)
"""The timestep where a checkpoint cut off the episode's beginning."""


class SequenceColumns(NamedTuple):
    """Where N sequences are among F frames, and what is known of all of these.

    Attributes:
      frame: int32 (N,), the first step's frame.
      size: uint8 (N,), steps that are not padding.
      back: uint8 (N,), how far before the first step the episode's frame of zeros lies, or further
        than needed.
      scalars: the fields that sequences carry, by name, (F,).
      return_to_go: float32 (F,), NaN where it is unknown.
      position: int32 (length,), 0, 1, 2 ...
      offsets: int32 (stack_size,), ... -2, -1, 0.
      episodes: of all items.
      starts_at_reset: bool (E,).
    """

    frame: Array
    size: Array
    back: Array
    scalars: dict[str, Array]
    return_to_go: Array
    position: Array
    offsets: Array
    episodes: Episodes
    starts_at_reset: Array


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SequenceSource(Source[SequenceBatch]):
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
        step: its index among that episode's logged steps, from 0.

    With axis=-1 observations are (length, 84, 84, stack_size), a transposed view. Terminal states
    are not steps here, since no action was taken in them.

    In memory a sequence takes 10 bytes, and 5 more for several datasets.

    Attributes:
      steps: in each sequence.
    """

    steps: int

    def _gather(self, arrays: Arrays, indices: Array, room: Batch | None = None) -> Batch:
        columns: SequenceColumns = arrays.columns
        xp: Any = array_api_compat.array_namespace(columns.frame)

        def take(column: Array) -> Array:
            return xp.astype(column[indices], columns.frame.dtype)[:, None]

        # Steps since the sequence's first; negative in the padding.
        step = columns.position - (columns.position.shape[0] - take(columns.size))
        mask = step >= 0
        first = take(columns.frame)
        episode = items.find_episodes(xp, columns.episodes, indices)[:, None]
        start = columns.episodes.start[episode]
        # The frame of zeros before an episode has neither action nor reward.
        zeros = start - 1
        frame = xp.where(mask, first + step, zeros)
        back = xp.where(mask, take(columns.back) + step, 0)
        frames = frame[..., None] + reach(columns.offsets, back[..., None], xp.maximum)
        is_known = columns.starts_at_reset[episode]
        timestep = xp.where(mask, xp.where(is_known, frame - start, UNKNOWN_TIME), 0)
        scalars = {**columns.scalars, "return_to_go": columns.return_to_go}
        taken = items.take_scalars(xp, scalars, xp.reshape(frame, (-1,)))
        labels: Batch = {}
        if self.labels:
            labels = items.label_steps(xp, columns.episodes, episode, frame)
        return {
            "observation": self._gather_stacks(arrays, frames, room),
            **{name: xp.reshape(column, frame.shape) for name, column in taken.items()},
            "timestep": xp.astype(timestep, default_integer(xp)),
            "mask": mask,
            **{name: xp.where(mask, column, -1) for name, column in labels.items()},
        }

    def _gather_stacks(self, arrays: Arrays, frames: Array, room: Batch | None) -> Array:
        stacking = self._stacking
        if room is None:
            xp: Any = array_api_compat.array_namespace(frames)
            return stacking.to_axis(gather_frames(arrays.parts, frames), xp.permute_dims)
        gather_into(stacking.from_axis(room["observation"]), arrays.parts, frames)
        return room["observation"]

    def _list_items(self) -> SequenceColumns:
        joined, stacking = self.joined, self._stacking
        spans = joined.spans
        # Without the terminal state.
        steps = spans["steps"] - spans["ends_in_terminal"]
        first = np.where(spans["starts_at_reset"], 0, stacking.size - 1)
        counts = np.maximum(steps - first, 0)
        size = np.empty(counts.sum(), np.min_scalar_type(self.steps))
        back = np.empty(len(size), np.min_scalar_type(stacking.size))
        for some, listed, within in items.in_groups(first, counts):
            size[listed] = np.minimum(np.repeat(steps[some], counts[some]) - within, self.steps)
            back[listed] = np.minimum(within + 1, stacking.size)
        rewards = joined.columns(fields.REWARDS[self.reward])
        carried = fields.carried(self.reward).items()
        return SequenceColumns(
            frame=items.number_frames(spans["start"] + first, counts, joined.frame_dtype),
            size=size,
            back=back,
            scalars={name: joined.column(field) for name, field in carried},
            return_to_go=np.concatenate(
                [
                    _returns_to_go(part.spans, reward)
                    for part, reward in zip(joined.parts, rewards, strict=True)
                ]
            ),
            position=np.arange(self.steps, dtype=np.int32),
            offsets=stacking.offsets,
            episodes=items.list_episodes(joined, counts),
            starts_at_reset=spans["starts_at_reset"],
        )


def _returns_to_go(spans: Array, reward: Array) -> Array:
    """Sums up the rewards (F,) from each frame on to its episode's end, float32 (F,)."""
    return_to_go = np.zeros(len(reward), np.float32)
    for span in spans:
        steps = slice(span["start"], span["start"] + span["steps"])
        if span["ends_in_terminal"]:
            return_to_go[steps] = reward[steps][::-1].cumsum(dtype=np.float64)[::-1]
        else:
            return_to_go[steps] = np.nan
    return return_to_go
