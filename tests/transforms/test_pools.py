"""Batches across pools; shuffling is reproducible and draws from many places."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from helpers.steps import (
    UNDECODED,
    as_dataset,
    make_all,
    make_steps,
)

from tfds_atari_replay import transitions
from tfds_atari_replay.transforms import pools
from tfds_atari_replay.windows.stacking import Stacking


def pool_of(first: int, count: int) -> pools.Pool:
    """Transitions numbered from `first`; observations are stacks of two of the pool's frames."""
    numbers = tf.range(first, first + count)
    place = tf.range(count)
    return pools.Pool(
        frames=tf.reshape(tf.cast(tf.range(first, first + count + 2), tf.uint8), (-1, 1, 1)),
        observation=place,
        next_observation=place + 1,
        scalars={"action": numbers, "reward": tf.cast(numbers, tf.float32) * 10},
        discount=tf.cast(numbers, tf.float32) / 10,
    )


@pytest.mark.parametrize(
    ("batch_size", "drop_remainder", "expected"),
    [
        (1, False, [[number] for number in range(13)]),
        (3, False, [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11], [12]]),
        (3, True, [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]),
        (5, True, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]),
        (9, False, [[0, 1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12]]),
        (99, True, []),
    ],
)
def test_the_rest_of_a_pool_begins_the_next_batch(
    batch_size: int, drop_remainder: bool, expected: list[list[int]]
) -> None:
    """Each transition comes once, in order, from pools of five, seven and one."""
    parts = [
        tf.data.Dataset.from_tensors((pool_of(first, count), is_end))
        for first, count, is_end in ((0, 5, False), (5, 7, False), (12, 1, False), (13, 0, True))
    ]
    dataset = functools.reduce(lambda a, b: a.concatenate(b), parts)
    batches = list(
        pools.cut_into_batches(dataset, Stacking(2), batch_size, drop_remainder).as_numpy_iterator()
    )
    assert [batch["action"].tolist() for batch in batches] == expected
    for batch in batches:
        number = batch["action"]
        np.testing.assert_array_equal(batch["reward"], number * 10)
        np.testing.assert_allclose(batch["discount"], number / 10)
        for name, offset in (("observation", 0), ("next_observation", 1)):
            stacks = batch[name][..., 0, 0]
            np.testing.assert_array_equal(stacks, number[:, None] + [offset, offset + 1])


def in_the_order_of(dataset: tf.data.Dataset) -> list[int]:
    """The actions, which these tests make unique."""
    return [int(a) for batch in dataset.as_numpy_iterator() for a in batch["action"]]


@pytest.mark.parametrize("decoders", [None, UNDECODED])
@pytest.mark.slow
def test_shuffling_is_reproducible_and_reshuffles(decoders: Any) -> None:
    """A seed determines the orders of all iterations, which differ from each other."""
    episodes = make_all([(100, True, True)] * 30)
    for steps in episodes:
        steps["action"] = (
            steps["observation"][:, 0, :4, 0].copy().view("<u4")[:, 0].astype(np.int64)
        )
    dataset = as_dataset(episodes, decoders)

    def shuffled(seed: int | None) -> tf.data.Dataset:
        return dataset.apply(transitions(batch_size=256, shuffle=True, seed=seed))

    in_order = in_the_order_of(dataset.apply(transitions(batch_size=256)))
    one, same, other, unseeded = shuffled(1), shuffled(1), shuffled(2), shuffled(None)
    first, second = in_the_order_of(one), in_the_order_of(one)
    assert first == in_the_order_of(same)
    assert second == in_the_order_of(same)
    orders = [first, second, in_the_order_of(other)]
    orders += [in_the_order_of(unseeded), in_the_order_of(unseeded)]
    twice = in_the_order_of(shuffled(1).repeat(2))
    assert sorted(twice) == sorted(in_order * 2)
    assert twice[: len(in_order)] == first
    assert twice[len(in_order) :] != first
    for order in orders:
        assert order != in_order
        assert sorted(order) == in_order
    assert len({tuple(order) for order in orders}) == len(orders)


@pytest.mark.parametrize("decoders", [None, UNDECODED])
@pytest.mark.slow
def test_a_batch_is_from_many_places(decoders: Any) -> None:
    """A batch of 256 is from more than 100 blocks of 64 steps, all over the data."""
    count, length = 300, 256
    episodes = []
    for number in range(count):
        steps = make_steps(length, ends_in_terminal=False)
        steps["action"] = number * length + np.arange(length)
        episodes.append(steps)
    dataset = as_dataset(episodes, decoders).apply(
        transitions(batch_size=256, shuffle=True, seed=0)
    )
    uniform = len(np.unique(np.random.default_rng(0).integers(0, count * length, 256) // 64))
    whole = [
        batch["action"] for batch in dataset.as_numpy_iterator() if len(batch["action"]) == 256
    ]
    for places in whole[: -len(whole) // 4]:
        assert len(np.unique(places // 64)) > 100
        # Each quarter of the data contributes.
        assert np.histogram(places, 4, (0, count * length))[0].min() > 20
    mean = np.mean([len(np.unique(places // 64)) for places in whole])
    assert mean > 0.6 * uniform
