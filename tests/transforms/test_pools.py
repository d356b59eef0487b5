"""Shuffling: reproducible, and from many places at once."""

from __future__ import annotations

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


def in_the_order_of(dataset: tf.data.Dataset) -> list[int]:
    """The actions, which tell where a transition is from."""
    return [int(a) for batch in dataset.as_numpy_iterator() for a in batch["action"]]


@pytest.mark.parametrize("decoders", [None, UNDECODED])
@pytest.mark.slow
def test_shuffling_is_reproducible_and_reshuffles(decoders: Any) -> None:
    """The same seed gives the same order, each iteration another, another seed others."""
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
    """More than 100 different blocks of 64 steps in each batch of 256, from all of the data."""
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
        # In no quarter of the data there are few.
        assert np.histogram(places, 4, (0, count * length))[0].min() > 20
    mean = np.mean([len(np.unique(places // 64)) for places in whole])
    assert mean > 0.6 * uniform
