"""Transitions at random."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from tfds_atari_replay import fields
from tfds_atari_replay.replay import items
from tfds_atari_replay.replay.batches import Array, Batch, TransitionBatch
from tfds_atari_replay.replay.gathering import gather_frames, gather_into
from tfds_atari_replay.replay.items import Episodes
from tfds_atari_replay.replay.joined import Joined
from tfds_atari_replay.replay.source import Arrays, Source
from tfds_atari_replay.replay.table import HEIGHT, WIDTH
from tfds_atari_replay.windows.rule import SUMMED, Window
from tfds_atari_replay.windows.stacking import Stacking, reach

# Frames whose values are summed at a time, so that temporary memory stays small.
_FRAMES_AT_ONCE = 2**20


class TransitionColumns(NamedTuple):
    """Where N transitions are among F frames, and their scalars.

    Attributes:
      frame: int32 (N,), the newest frame of the state.
      shape: uint8 (N,), which of S shapes the window has: how near its episode's two ends are.
      of_frames: scalar fields whose values are the frame's, by name, (F,).
      of_items: the others, by name, (N,).
      offsets: int32 (S, window), the frames of a shape, relative to the newest of the state: those
        of the state, then those of the next state that the state lacks. Frames before a reset are
        the episode's frame of zeros.
      discount: float32 (S,).
      episodes: of all items.
    """

    frame: Array
    shape: Array
    of_frames: dict[str, Array]
    of_items: dict[str, Array]
    offsets: Array
    discount: Array
    episodes: Episodes


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TransitionSource(Source[TransitionBatch]):
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
        step: its index among that episode's logged steps, from 0.

    `observation` and `next_observation` of a batch are views of the same memory, which they share:
    do not change one in place. With axis=-1 they are (84, 84, stack_size), a transposed view.

    In memory a transition takes 5 bytes, 9 with n_step > 1, and 5 more for several datasets;
    its frames are in files that all processes share.

    Attributes:
      n_step: steps from observation to next_observation.
      gamma: discount per step.
    """

    n_step: int
    gamma: float

    @property
    def _window(self) -> Window:
        return Window(self.stack_size, self.n_step, self.gamma, self.reward)

    def _gather(self, arrays: Arrays, indices: Array, room: Batch | None = None) -> Batch:
        columns: TransitionColumns = arrays.columns
        xp: Any = array_api_compat.array_namespace(columns.frame)

        # Indexing takes small columns sooner than xp.take.
        frame = columns.frame[indices]
        # PyTorch takes indices of uint8 for a mask.
        shape = xp.astype(columns.shape[indices], frame.dtype)
        frames = frame[:, None] + columns.offsets[shape]
        observation, next_observation = self._gather_states(arrays, frames, room)
        labels: Batch = {}
        if self.labels:
            episode = items.find_episodes(xp, columns.episodes, indices)
            labels = items.label_steps(xp, columns.episodes, episode, frame)
        return {
            "observation": observation,
            **items.take_scalars(xp, columns.of_frames, frame),
            **items.take_scalars(xp, columns.of_items, indices),
            "discount": columns.discount[shape],
            "next_observation": next_observation,
            **labels,
        }

    def _gather_states(self, arrays: Arrays, frames: Array, room: Batch | None) -> list[Array]:
        """Gathers states and next states, for the frames (N, W) that they have."""
        stacking = self._stacking
        ends = slice(None, self.stack_size), slice(-self.stack_size, None)
        if room is None:
            xp: Any = array_api_compat.array_namespace(frames)
            windows = gather_frames(arrays.parts, frames)
            return [stacking.to_axis(windows[:, end], xp.permute_dims) for end in ends]
        given = [room["observation"], room["next_observation"]]
        stacks = [stacking.from_axis(array) for array in given]
        shared = _find_shared(stacks[0], stacks[1], frames.shape[1])
        if shared is not None:
            gather_frames(arrays.parts, frames, shared)
        else:
            for stack, end in zip(stacks, ends, strict=True):
                gather_into(stack, arrays.parts, frames[:, end])
        return given

    def _list_items(self) -> TransitionColumns:
        joined, window = self.joined, self._window
        spans = joined.spans
        steps, ends_in_terminal = spans["steps"], spans["ends_in_terminal"]
        first, stop = window.stretches(steps, spans["starts_at_reset"], ends_in_terminal)
        counts = stop - first
        frame = items.number_frames(spans["start"] + first, counts, joined.frame_dtype)
        offsets, discount = _list_shapes(window)
        shape = np.empty(len(frame), np.min_scalar_type(math.prod(offsets.shape[:2]) - 1))
        for some, listed, within in items.in_groups(first, counts):
            back = np.minimum(within + 1, window.stack_size)
            left = np.repeat(steps[some] - 1, counts[some]) - within
            goes_on = (left >= window.n_step) & ~np.repeat(ends_in_terminal[some], counts[some])
            ahead = np.minimum(left + goes_on, window.n_step + 1)
            shape[listed] = (back - 1) * (window.n_step + 1) + (ahead - 1)
        of_frames, of_items = _find_scalars(joined, window, frame)
        return TransitionColumns(
            frame,
            shape,
            of_frames,
            of_items,
            offsets.reshape(-1, offsets.shape[-1]),
            np.tile(discount, window.stack_size),
            items.list_episodes(joined, counts),
        )


def _find_shared(observation: Any, next_observation: Any, length: int) -> Any:
    """Returns the windows (N, length, 84, 84) that both are views of; None if they are not."""
    frame = HEIGHT * WIDTH
    wanted = (length * frame, frame, WIDTH, 1)
    first, last = (
        array.__array_interface__["data"][0] for array in (observation, next_observation)
    )
    apart = (length - observation.shape[1]) * frame
    if observation.strides == next_observation.strides == wanted and last - first == apart:
        shape = (len(observation), length, HEIGHT, WIDTH)
        return np.lib.stride_tricks.as_strided(observation, shape, wanted)
    return None


def _list_shapes(window: Window) -> tuple[Any, Any]:
    """Lists the shapes that windows have, by how near their episode's two ends are.

    Returns:
      int32 (stack_size, n_step + 1, window), where the frames are, by the steps from the episode's
      frame of zeros, 1 to stack_size or more, and by those to its end, 1 to n_step, or one more if
      it goes on; and float32 (n_step + 1,), the discounts.
    """
    stacking = Stacking(window.stack_size)
    back = np.arange(1, window.stack_size + 1, dtype=np.int32)[:, np.newaxis, np.newaxis]
    ahead = np.arange(1, window.n_step + 2, dtype=np.int32)[:, np.newaxis]
    # The next state of one step ahead shares all frames but one with the state. Further ahead they
    # share fewer, or none next to a terminal state, so both have all of their own.
    others = stacking.offsets[-1:] if window.n_step == 1 else stacking.offsets
    following = reach(np.minimum(ahead, window.n_step) + others, back)
    own = np.broadcast_to(reach(stacking.offsets, back), (*following.shape[:2], window.stack_size))
    discount = np.where(ahead[:, 0] > window.n_step, np.float32(window.discount), np.float32(0))
    return np.concatenate([own, following], axis=-1), discount


def _find_scalars(
    joined: Joined, window: Window, frame: Any
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Returns the scalar fields of transitions with these frames, as `TransitionColumns` has them.

    Only what a single dataset's files hold needs no memory of its own.
    """
    of_frames, of_items = {}, {}
    # Items are in the order of the parts.
    firsts = np.searchsorted(frame, joined.starts)
    for name, stored in fields.carried(window.reward).items():
        is_summed = name in SUMMED and window.n_step > 1
        columns = joined.columns(stored)
        if not is_summed and joined.is_stored(stored):
            (of_frames[name],) = columns
            continue
        values = np.empty(len(frame), columns[0].dtype)
        for part, column, start, ends in zip(
            joined.parts, columns, joined.starts, itertools.pairwise(firsts), strict=False
        ):
            if is_summed:
                column = _sum_ahead(column, part.spans, window)
            some = slice(*ends)
            np.take(column, frame[some] - start, out=values[some], mode="clip")
        of_items[name] = values
    return of_frames, of_items


def _sum_ahead(column: Any, spans: Any, window: Window) -> Any:
    """Returns the discounted sums of n_step values from each frame on, float32 (F,)."""
    is_terminal = np.zeros(len(column) + window.n_step, np.bool_)
    ends = spans[spans["ends_in_terminal"]]
    is_terminal[ends["start"] + ends["steps"] - 1] = True
    sums = np.empty(len(column), np.float32)
    for start in range(0, len(column), _FRAMES_AT_ONCE):
        count = min(_FRAMES_AT_ONCE, len(column) - start)
        some = slice(start, start + count + window.n_step)
        values = np.zeros(count + window.n_step, np.float32)
        values[: len(column[some])] = column[some]
        summed, _ = window.sum_ahead({"value": values}, is_terminal[some], count)
        sums[start : start + count] = summed["value"]
    return sums
