"""`frame_stack` turns observations of single frames into stacks of frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfds_atari_replay._extras import tensorflow as tf
from tfds_atari_replay.arguments import check_axis, check_whole
from tfds_atari_replay.transforms import checks
from tfds_atari_replay.transforms.chunks import (
    STEPS_PER_CHUNK,
    Tensors,
    decode,
    without_autograph,
)
from tfds_atari_replay.windows.stacking import Stacking

_NEEDED = ("observation", "is_first", "is_last")


def frame_stack(
    stack_size: int = 4, *, axis: int = 0
) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    """Replaces each observation by the last `stack_size` frames, oldest first.

    Frames before a reset are zeros, as in Dopamine. So are the unknown frames before an episode
    whose beginning the checkpoint cut off (`transitions` leaves out the steps whose stacks would
    need them). With stack_size=2, for an episode with frames a b c and a terminal state of zeros 0:

        a b c 0  ->  0a ab bc c0

    Use it as `dataset.apply(frame_stack())`, either on episodes, decoded or not, or on the
    concatenated steps of episodes. Steps need `is_first` and `is_last`.

    Example:
      ```python
      episodes = tfds.load("atari_replay/breakout_expert_v0", split="train")
      stacked = episodes.apply(tfds_atari_replay.frame_stack(4))
      ```

    Args:
      stack_size: frames per observation, at least 1.
      axis: 0 for observations (stack_size, 84, 84), -1 for (84, 84, stack_size).

    Returns:
      A function from a dataset to a dataset, for `tf.data.Dataset.apply`. It raises ValueError if
      the dataset holds neither episodes nor steps, TypeError if it is not a dataset.

    Raises:
      TypeError: stack_size or axis is not a whole number.
      ValueError: stack_size or axis is out of range.
    """
    stacking = Stacking(check_whole("stack_size", stack_size), check_axis(axis))

    def apply(dataset: tf.data.Dataset) -> tf.data.Dataset:
        spec = checks.element_spec(dataset)
        if not checks.has_episodes(spec):
            checks.check_steps(spec, _NEEDED, spec)
            return _stack_steps(dataset, stacking)
        is_stored = checks.check_episodes(spec, _NEEDED)

        @without_autograph
        def stack(episode: Tensors) -> Tensors:
            steps = decode(episode["steps"]) if is_stored else episode["steps"]
            return {**episode, "steps": _stack_steps(steps, stacking)}

        return dataset.map(stack)

    return apply


def _stack_steps(steps: tf.data.Dataset, stacking: Stacking) -> tf.data.Dataset:
    """Stacks the frames of the steps of one episode, or of several, concatenated."""
    spec = steps.element_spec
    height, width, _ = spec["observation"].shape
    before = stacking.size - 1

    @without_autograph
    def stack(state: Any, batch: Tensors) -> Any:
        frames_before, starts_before, was_last = state
        follows_last = tf.concat([was_last, batch["is_last"][:-1]], 0)
        frames = tf.concat([frames_before, tf.squeeze(batch["observation"], -1)], 0)
        starts = tf.concat([starts_before, batch["is_first"] | follows_last], 0)
        episode = tf.cumsum(tf.cast(starts, tf.int32))
        index = tf.range(before, tf.size(starts))[:, tf.newaxis] + stacking.offsets
        is_own = tf.equal(tf.gather(episode, index), episode[before:, tf.newaxis])
        # Frames of the episode before are replaced by zeros.
        frames_or_zeros = tf.concat([tf.zeros_like(frames[:1]), frames], 0)
        stacked = tf.gather(frames_or_zeros, tf.where(is_own, index + 1, 0))
        kept = slice(tf.size(starts) - before, None)
        state = frames[kept], starts[kept], batch["is_last"][-1:]
        return state, {**batch, "observation": stacking.to_axis(stacked, tf.transpose)}

    start = (
        tf.zeros((before, height, width), spec["observation"].dtype),
        tf.zeros(before, tf.bool),
        tf.zeros(1, tf.bool),
    )
    stacked = steps.batch(STEPS_PER_CHUNK).scan(start, stack).unbatch()
    length = steps.cardinality()
    return tf.cond(  # Filtered steps, for example, do not know their number.
        length >= 0,
        lambda: stacked.apply(tf.data.experimental.assert_cardinality(length)),
        lambda: stacked,
    )
