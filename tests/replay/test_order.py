"""Indices that stay together: every one of them once, from few stretches at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfds_atari_replay import LocalShuffle


@pytest.mark.parametrize("length", [0, 1, 63, 64, 1000, 1003])
@pytest.mark.parametrize("batch_size", [1, 7, 64, 5000])
def test_an_epoch_has_every_index_once(length: int, batch_size: int) -> None:
    order = LocalShuffle(length, batch_size, stretch=16, num_open=3)
    batches = list(order)
    assert len(batches) == len(order)
    assert [len(batch) for batch in batches[:-1]] == [batch_size] * (len(batches) - 1)
    found = np.concatenate([np.empty(0, np.int64), *batches])
    np.testing.assert_array_equal(np.sort(found), np.arange(length))
    assert found.dtype == np.int64


def test_a_batch_is_from_few_stretches() -> None:
    """At random, 100 indices would be from 95 of the 1,000 stretches."""
    batches = list(LocalShuffle(100_000, 100, stretch=100, num_open=10))
    counts = [len(np.unique(batch // 100)) for batch in batches]
    assert min(counts[:-20]) >= 5
    assert max(counts) <= 40


def test_indices_of_open_stretches_are_equally_likely() -> None:
    """Of four stretches of 10, each index is in the first batch of 10 a quarter of the time."""
    counts = np.zeros(40)
    for seed in range(4000):
        counts[next(iter(LocalShuffle(40, 10, seed=seed, stretch=10, num_open=4)))] += 1
    # Five standard deviations of a binomial distribution.
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(4000 * 0.25 * 0.75)


def test_seeds_and_epochs() -> None:
    def epochs(seed: int) -> list[Any]:
        order = LocalShuffle(300, 10, seed=seed, stretch=10, num_open=3)
        return [np.concatenate(list(order)).tolist() for _ in range(2)]

    assert epochs(0) == epochs(0)
    assert epochs(0)[0] != epochs(0)[1]
    assert epochs(0)[0] != epochs(1)[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": -1}, "length must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"stretch": 0}, "stretch must be"),
        ({"num_open": 0}, "num_open must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_arguments(arguments: dict[str, int], message: str) -> None:
    given: dict[str, Any] = {"length": 10, "batch_size": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        LocalShuffle(given.pop("length"), given.pop("batch_size"), **given)
