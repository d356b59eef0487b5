"""Dopamine's replay buffer, as an oracle for transitions."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
from dopamine.tf.replay_memory import circular_replay_buffer

from helpers.steps import unbatched
from tfds_atari_replay import transitions


def dopamine_buffer(root: pathlib.Path, number: int, checkpoint: Any, n_step: int) -> Any:
    """Dopamine's buffer, loaded with a checkpoint."""
    buffer = circular_replay_buffer.OutOfGraphReplayBuffer(
        (84, 84), 4, checkpoint.capacity, 32, update_horizon=n_step, gamma=0.99
    )
    buffer.load(str(root), number)
    if checkpoint.is_full and not buffer.is_full():
        # A run's last dump has only the cursor in add_count.
        buffer.add_count = np.array(buffer.add_count + checkpoint.capacity)
    # As it was saved, invalid_range is that of the run, whose n_step was 1.
    buffer.invalid_range = circular_replay_buffer.invalid_range(
        buffer.cursor(), checkpoint.capacity, 4, n_step
    )
    return buffer


def in_order_of_time(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Sorts a few episodes, whose order in the files is hashed."""
    ids = [int(episode["episode_id"]) for episode in dataset]
    ordered = dataset.take(0)
    for place in np.argsort(ids):
        ordered = ordered.concatenate(dataset.skip(place).take(1))
    return ordered


def compare_with_dopamine(
    folder: pathlib.Path, checkpoint: Any, dataset: tf.data.Dataset, n_step: int
) -> tuple[int, int]:
    """Checks that we have each transition that Dopamine can sample, once, in order of time.

    Returns:
      How many these are, and how many more we have. Each of the latter is checked to be at the
      write cursor.
    """
    buffer = dopamine_buffer(folder, checkpoint.files.number, checkpoint, n_step)
    rows = np.arange(checkpoint.capacity)
    in_time = np.concatenate([rows[part] for part in checkpoint.time_order]).tolist()
    valid = [row for row in in_time if buffer.is_valid_transition(row)]
    state, action, reward, next_state, _, _, terminal, *_ = buffer.sample_transition_batch(
        len(valid), valid
    )
    ours = in_order_of_time(dataset).apply(transitions(n_step=n_step, batch_size=500, axis=-1))
    matched, extras = 0, []
    for obs, act, rew, discount, next_obs in unbatched(ours.as_numpy_iterator()):
        if (
            matched < len(valid)
            and np.array_equal(obs, state[matched])
            and act == action[matched]
            and abs(rew - reward[matched]) < 1e-5
            and (discount == 0) == terminal[matched]
            and (terminal[matched] or np.array_equal(next_obs, next_state[matched]))
        ):
            assert abs(discount - (0 if terminal[matched] else 0.99**n_step)) < 1e-6
            matched += 1
        else:
            extras.append((matched, discount == 0))
    assert matched == len(valid)
    # What Dopamine drops without need: the four rows from the cursor on, the oldest, where their
    # history is whole or a reset; the last n_step rows before it, where a terminal follows.
    after_cursor = [is_over for before, is_over in extras if before == 0]
    before_cursor = [is_over for before, is_over in extras if before == len(valid)]
    assert len(after_cursor) + len(before_cursor) == len(extras)
    assert len(after_cursor) <= 4
    assert len(before_cursor) <= n_step
    assert all(before_cursor)
    if n_step == 1:
        assert len(extras) <= 4
    return matched, len(extras)
