"""Transitions at random."""

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
from tfds_atari_replay.windows.rule import NUMPY_OPS, Columns, Window
from tfds_atari_replay.windows.stacking import Stacking, reach

# Steps to which the rule is applied at a time, so that memory does not grow with their number.
_STEPS_AT_ONCE = 2**20


class TransitionColumns(NamedTuple):
    """Where the frames of N transitions are, and their scalars.

    Attributes:
      frames: int32 (N, window), the frames of a state and, behind them, those of the next state
        that the state does not have. Before a reset it is the episode's frame of zeros.
      scalars: the fields that transitions carry, by name, (N,).
      discount: float32 (N,).
      labels: see `label_episodes`; empty if they are not asked for.
    """

    frames: Array
    scalars: dict[str, Array]
    discount: Array
    labels: dict[str, Array]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TransitionSource(Source[TransitionColumns]):
    """Transitions of a replay, in the order of their datasets, of `episode_id` and of time.

    An item is a dict; in a batch (N,) comes first:

        observation: uint8 (stack_size, 84, 84), oldest frame first, zeros before a reset.
        action: int64.
        reward: float32, sum of gamma**k * reward over n_step steps, or up to the episode's end; NaN
          with reward="unclipped" if one of them is unknown.
        discount: float32, gamma**n_step, or 0 if the episode ended within these steps.
        next_observation: like observation, n_step steps later; means nothing where discount is 0.

    With labels=True also, each int64:

        dataset: index into `replay.names`.
        episode: row of `replay.episodes`.
        step: its place among that episode's logged steps, from 0.

    `observation` and `next_observation` of a batch are views of the same memory, which they share:
    do not change one in place. With axis=-1 they are (84, 84, stack_size), a transposed view.

    Attributes:
      stack_size: frames per observation.
      n_step: steps from observation to next_observation.
      gamma: discount per step.
      axis: of the frames in an observation, 0 or -1.
      reward: "clipped" or "unclipped".
    """

    stack_size: int
    n_step: int
    gamma: float
    axis: int
    reward: str

    def _gather(self, arrays: Arrays, indices: Array) -> Batch:
        columns: TransitionColumns = arrays.columns
        xp: Any = array_api_compat.array_namespace(columns.frames)

        def take(column: Array) -> Array:
            return xp.take(column, indices, axis=0)

        windows = gather_frames(arrays.units, arrays.index, take(columns.frames))
        windows = Stacking(self.stack_size, self.axis).to_axis(windows, xp.permute_dims)
        first = (slice(None),) * (1 if self.axis == 0 else 3)
        return {
            "observation": windows[(*first, slice(None, self.stack_size))],
            **take_scalars(xp, columns.scalars, indices),
            "discount": take(columns.discount),
            "next_observation": windows[(*first, slice(-self.stack_size, None))],
            **{
                name: xp.astype(take(column), default_integer(xp))
                for name, column in columns.labels.items()
            },
        }


def make_transitions(
    packed: Packed, chosen: Array, window: Window, axis: int, dataset: Array | None = None
) -> TransitionSource:
    """Lists the transitions of some episodes.

    Args:
      packed: the episodes.
      chosen: integers (E,), which of them.
      window: of a transition.
      axis: of the frames in an observation.
      dataset: integers (E,), whose they are, if transitions are to have labels.
    """
    stack_size, n_step = window.stack_size, window.n_step
    spans = packed.spans[chosen]
    group = spans["steps"].cumsum() // _STEPS_AT_ONCE
    cuts = np.flatnonzero(np.diff(group)) + 1
    parts = [_list_transitions(packed, part, window) for part in np.split(spans, cuts)]
    labels: dict[str, Array] = {}
    if dataset is not None:
        firsts = np.append(0, cuts)
        episode = [part.episode + first for part, first in zip(parts, firsts, strict=True)]
        step = [part.step for part in parts]
        labels = label_episodes(dataset, np.concatenate(episode), np.concatenate(step))
    scalars = {
        field.name: np.concatenate([part.scalars[field.name] for part in parts])
        for field in fields.CARRIED
    }
    frame, back, ahead, discount = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("frame", "back", "ahead", "discount")
    )
    # The next state of one step ahead shares all frames but one with the state. Further ahead they
    # share fewer, or none next to a terminal state, so both have all of their own.
    own = Stacking(stack_size).offsets
    others = own[-1:] if n_step == 1 else own
    frames = np.empty((len(frame), len(own) + len(others)), np.int32)
    # A column at a time: temporary arrays of all columns would take twice the memory.
    for column, offset in enumerate(own):
        frames[:, column] = frame + reach(offset, back)
    for column, offset in enumerate(others, start=stack_size):
        frames[:, column] = frame + reach(ahead + offset, back)
    columns = TransitionColumns(frames, scalars, discount, labels)
    return TransitionSource(
        packed,
        columns,
        len(frames),
        stack_size=stack_size,
        n_step=n_step,
        gamma=window.gamma,
        axis=axis,
        reward=window.reward,
    )


class _Found(NamedTuple):
    """Transitions.

    Attributes:
      frame: int32 (N,), the newest frame of the state.
      back: int32 (N,), how far before it the episode's frame of zeros lies, or further than needed.
      ahead: int32 (N,), how many steps ahead the next state is.
      discount: float32 (N,).
      scalars: the fields that transitions carry, by name, (N,).
      episode: integers (N,), index into the spans.
      step: integers (N,), index in the episode.
    """

    frame: Array
    back: Array
    ahead: Array
    discount: Array
    scalars: dict[str, Array]
    episode: Array
    step: Array


def _list_transitions(packed: Packed, spans: Array, window: Window) -> _Found:
    """Applies the rule to episodes in a row, with gaps between that no window can cross."""
    gap = window.length - 1
    steps = spans["steps"]
    # Of each step: its episode, its index there, its frame, and its slot among all steps and gaps.
    owner, within = number_steps(steps)
    frame = spans["start"][owner] + within
    slot = np.arange(len(owner)) + (owner + 1) * gap
    num_slots = len(owner) + (len(spans) + 1) * gap

    def lay_out(column: Array) -> Array:
        laid_out = np.zeros(num_slots, column.dtype)
        laid_out[slot] = column
        return laid_out

    is_real = lay_out(np.ones(len(owner), np.bool_))
    is_last = within == steps[owner] - 1
    # What is before an episode is known if that begins with a reset.
    before = slot[within == 0][:, np.newaxis] - np.arange(1, gap + 1)
    is_known = is_real.copy()
    is_known[before] = spans["starts_at_reset"][:, np.newaxis]
    starts = window.starts(
        Columns(
            {
                name: lay_out(packed.scalars[field][frame])
                for name, field in fields.carried(window.reward).items()
            },
            is_terminal=lay_out(is_last & spans["ends_in_terminal"][owner]),
            is_real=is_real,
            is_known=is_known,
        ),
        num_slots - gap,
        NUMPY_OPS,
    )
    # The first of them is for the slot at which the first stack can end.
    start = slot - (window.stack_size - 1)
    is_valid = starts.is_valid[start]
    start, frame, within, owner = (of[is_valid] for of in (start, frame, within, owner))
    return _Found(
        frame=frame.astype(np.int32),
        back=(within + 1).clip(max=window.length).astype(np.int32),
        ahead=(steps[owner] - 1 - within).clip(max=window.n_step).astype(np.int32),
        discount=starts.discount[start],
        scalars={name: column[start] for name, column in starts.scalars.items()},
        episode=owner,
        step=within,
    )
