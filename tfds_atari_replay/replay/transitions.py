"""Transitions at random."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from tfds_atari_replay import fields
from tfds_atari_replay.replay.gathering import gather_frames
from tfds_atari_replay.replay.packed import Packed, number_steps
from tfds_atari_replay.replay.source import Array, Arrays, Batch, Source, take_scalars
from tfds_atari_replay.windows.rule import NUMPY_OPS, Columns, Window

# Steps to which the rule is applied at a time, so that memory does not grow with their number.
_STEPS_AT_ONCE = 2**20


class TransitionColumns(NamedTuple):
    """Where the frames of N transitions are, and their scalars.

    Attributes:
      frames: int32 (N, window), the frames of a state and, behind them, those of the next state
        that the state does not have. Before a reset it is the episode's frame of zeros.
      scalars: the fields that transitions carry, by name, (N,).
      discount: float32 (N,).
    """

    frames: Array
    scalars: dict[str, Array]
    discount: Array


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class TransitionSource(Source):
    """Transitions of a replay, in the order of their datasets, of `episode_id` and of time.

    An item is a dict; in a batch (N,) comes first:

        observation: uint8 (stack_size, 84, 84), oldest frame first, zeros before a reset.
        action: int64.
        reward: float32, sum of gamma**k * reward over n_step steps, or up to the episode's end.
        discount: float32, gamma**n_step, or 0 if the episode ended within these steps.
        next_observation: like observation, n_step steps later; means nothing where discount is 0.

    `observation` and `next_observation` of a batch are views of the same memory, which they share:
    do not change one in place. With axis=-1 they are (84, 84, stack_size), a transposed view.

    Attributes:
      stack_size: frames per observation.
      n_step: steps from observation to next_observation.
      gamma: discount per step.
      axis: of the frames in an observation, 0 or -1.
    """

    stack_size: int
    n_step: int
    gamma: float
    axis: int

    def _gather(self, arrays: Arrays, indices: Array) -> Batch:
        columns: TransitionColumns = arrays.columns
        xp: Any = array_api_compat.array_namespace(columns.frames)

        def take(column: Array) -> Array:
            return xp.take(column, indices, axis=0)

        windows = gather_frames(arrays.units, arrays.index, take(columns.frames))
        if self.axis == -1:
            windows = xp.permute_dims(windows, (0, 2, 3, 1))
        first = (slice(None),) * (1 if self.axis == 0 else 3)
        return {
            "observation": windows[(*first, slice(None, self.stack_size))],
            **take_scalars(xp, columns.scalars, indices),
            "discount": take(columns.discount),
            "next_observation": windows[(*first, slice(-self.stack_size, None))],
        }


def make_transitions(
    packed: Packed, chosen: Array, *, stack_size: int, n_step: int, gamma: float, axis: int
) -> TransitionSource:
    """Lists the transitions of some episodes.

    Args:
      packed: the episodes.
      chosen: integers (E,), which of them.
      stack_size: frames per observation.
      n_step: steps from observation to next_observation.
      gamma: discount per step.
      axis: of the frames in an observation.
    """
    window = Window(stack_size, n_step, gamma)
    places = packed.places[chosen]
    group = places["steps"].cumsum() // _STEPS_AT_ONCE
    cuts = np.flatnonzero(np.diff(group)) + 1
    parts = [_list_transitions(packed, part, window) for part in np.split(places, cuts)]
    frame, back, ahead, discount = (
        np.concatenate(column) for column in zip(*(part[:-1] for part in parts), strict=True)
    )
    scalars = {
        field.name: np.concatenate([part.scalars[field.name] for part in parts])
        for field in fields.CARRIED
    }
    # The next state of one step ahead shares all frames but one with the state. Further ahead they
    # share fewer, or none next to a terminal state, so both have all of their own.
    own = np.arange(1 - stack_size, 1, dtype=np.int32)
    others = own[-1:] if n_step == 1 else own
    frames = np.empty((len(frame), len(own) + len(others)), np.int32)
    for number, offset in enumerate(own):
        frames[:, number] = frame + np.maximum(-back, offset)
    for number, offset in enumerate(others, start=stack_size):
        frames[:, number] = frame + np.maximum(-back, ahead + offset)
    columns = TransitionColumns(frames, scalars, discount)
    return TransitionSource(packed, columns, len(frames), stack_size, n_step, gamma, axis)


class _Found(NamedTuple):
    """Transitions.

    Attributes:
      frame: int32 (N,), the newest frame of the state.
      back: int32 (N,), how far before it the episode's frame of zeros lies, or further than needed.
      ahead: int32 (N,), how many steps ahead the next state is.
      discount: float32 (N,).
      scalars: the fields that transitions carry, by name, (N,).
    """

    frame: Array
    back: Array
    ahead: Array
    discount: Array
    scalars: dict[str, Array]


def _list_transitions(packed: Packed, places: Array, window: Window) -> _Found:
    """Applies the rule to episodes in a row, with gaps between that no window can cross."""
    gap = window.length - 1
    steps = places["steps"]
    # Each step's episode and frame, and its place among all steps and gaps.
    owner, within = number_steps(steps)
    frame = places["start"][owner] + within
    place = np.arange(len(owner)) + (owner + 1) * gap
    room = len(owner) + (len(places) + 1) * gap

    def spread(column: Array) -> Array:
        spread = np.zeros(room, column.dtype)
        spread[place] = column
        return spread

    last = within == steps[owner] - 1
    is_known = spread(np.ones(len(owner), np.bool_))
    # What is before an episode is known if that begins with a reset.
    before = place[within == 0][:, np.newaxis] - np.arange(1, gap + 1)
    is_known[before] = places["starts_at_reset"][:, np.newaxis]
    starts = window.starts(
        Columns(
            scalars={
                field.name: spread(packed.scalars[field.name][frame]) for field in fields.CARRIED
            },
            is_terminal=spread(last & places["ends_in_terminal"][owner]),
            is_real=spread(np.ones(len(owner), np.bool_)),
            is_known=is_known,
        ),
        room - gap,
        NUMPY_OPS,
    )
    # The rule begins with the step at which the first stack can end.
    place -= window.stack_size - 1
    valid = starts.is_valid[place]
    place, frame, within, owner = place[valid], frame[valid], within[valid], owner[valid]
    return _Found(
        frame.astype(np.int32),
        (within + 1).clip(max=window.length).astype(np.int32),
        (steps[owner] - 1 - within).clip(max=window.n_step).astype(np.int32),
        starts.discount[place],
        {name: column[place] for name, column in starts.scalars.items()},
    )
