"""`transitions` turns episodes into batches of state, action, reward, next state."""

from __future__ import annotations

from collections.abc import Callable

from tfds_atari_replay import fields
from tfds_atari_replay._extras import tensorflow as tf
from tfds_atari_replay.arguments import (
    check_axis,
    check_choice,
    check_share,
    check_sizes,
    check_whole,
)
from tfds_atari_replay.transforms import checks
from tfds_atari_replay.transforms.chunks import STEPS_PER_CHUNK
from tfds_atari_replay.transforms.pools import (
    cut_into_batches,
    pools_of_decoded_steps,
    pools_of_stored_steps,
)
from tfds_atari_replay.windows.rule import Window
from tfds_atari_replay.windows.stacking import Stacking


def transitions(
    *,
    stack_size: int = 4,
    n_step: int = 1,
    gamma: float = 0.99,
    batch_size: int | None = None,
    drop_remainder: bool = False,
    shuffle: bool = False,
    seed: int | None = None,
    axis: int = 0,
    reward: str = "clipped",
) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
    """Turns episodes into transitions, each complete one exactly once.

    A transition is incomplete if the checkpoint cut off its history or its future. For three steps
    with frames a b c, actions x y z and rewards 1 2 4, followed by a terminal state with frame 0,
    with stack_size=2, n_step=2, gamma=0.5:

        observation  action  reward  discount  next_observation
        0a           x       2       0.25      bc
        ab           y       4       0         c0, meaningless
        bc           z       4       0         c0, meaningless

    Use it as `dataset.apply(transitions(batch_size=256, shuffle=True))`. Undecoded steps,
    `decoders={"steps": tfds.decode.SkipDecoding()}`, are the fastest and are shuffled best.

    With `shuffle`, batches are drawn without replacement from a pool of 12,288 steps: 192 blocks of
    64 consecutive steps, picked at random from the next 500,000 steps. (Episodes are stored in
    hashed order.) If steps are decoded, the pool has the next 128 steps of 96 random episodes.

    Example:
      ```python
      batches = tfds.load(
          "atari_replay/breakout_expert_v0",
          split="train",
          decoders={"steps": tfds.decode.SkipDecoding()},
      ).apply(tfds_atari_replay.transitions(batch_size=256, shuffle=True))
      ```

    Args:
      stack_size: frames per observation, at least 1.
      n_step: steps from observation to next_observation, at least 1.
      gamma: discount per step, 0 to 1.
      batch_size: transitions per batch; the last batch of an epoch may be smaller. None for single
        transitions without a batch dimension.
      drop_remainder: whether to drop a smaller last batch, so that batches have static shapes.
      shuffle: whether to shuffle; the order differs in each iteration.
      seed: makes the order of shuffling reproducible. An iterator restored by tf.train.Checkpoint
        continues its epoch in the same order, but not the epochs after it: if that matters, make
        each epoch with its own seed.
      axis: 0 for observations (stack_size, 84, 84), -1 for (84, 84, stack_size).
      reward: "clipped", as logged, or "unclipped", in the game's own points: NaN if any of the
        n_step rewards is unknown. Datasets of version 1.0.0 have only clipped rewards.

    Returns:
      A function from a dataset of episodes to one of transitions, for `tf.data.Dataset.apply`. It
      raises ValueError if the dataset does not hold episodes, TypeError if it is not a dataset. A
      transition is a dict:

          observation: uint8 (stack_size, 84, 84), as `frame_stack` makes it.
          action: int64.
          reward: float32, sum of gamma**k * reward over n_step steps, or up to the episode's end.
          discount: float32, gamma**n_step, or 0 if the episode ended within these steps.
          next_observation: like observation, n_step steps later; meaningless where discount is 0.

    Raises:
      TypeError: an argument is not a number of the right kind.
      ValueError: an argument is out of range, or `drop_remainder` is given without `batch_size`.
    """
    stack_size, n_step = check_sizes(stack_size=stack_size, n_step=n_step)
    if batch_size is not None:
        batch_size = check_whole("batch_size", batch_size)
    elif drop_remainder:
        raise ValueError("drop_remainder needs a batch_size (got None)")
    gamma = check_share("gamma", gamma)
    if seed is not None:
        seed = check_whole("seed", seed, at_least=-(2**63), below=2**63)
    axis = check_axis(axis)
    check_choice("reward", reward, fields.REWARDS)
    window = Window(stack_size, n_step, gamma, reward)
    needed = ("observation", *fields.needed(reward))

    def apply(dataset: tf.data.Dataset) -> tf.data.Dataset:
        is_stored = checks.check_episodes(checks.element_spec(dataset), needed)
        if is_stored:
            pools = pools_of_stored_steps(dataset, window, shuffle, seed, axis)
        else:
            pools = pools_of_decoded_steps(dataset, window, shuffle, seed)
        stacking = Stacking(stack_size, axis)
        batches = cut_into_batches(pools, stacking, batch_size or STEPS_PER_CHUNK, drop_remainder)
        return batches.unbatch() if batch_size is None else batches.prefetch(2)

    return apply
