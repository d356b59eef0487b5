"""Several datasets in one replay: as one made of all their episodes, and nothing is copied."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from helpers.replays import make_replay
from helpers.steps import make_all
from helpers.transitions import assert_same

# More items a dataset than are made side by side, and a dataset whose episodes have no item.
SHAPES = [
    [(200, True, True), (9, False, False)],
    [(1, False, False)],
    [(70, True, False), (3, False, True)],
    [(130, False, True)],
]
KINDS: dict[str, Any] = {
    "transitions": lambda replay: replay.transitions(labels=True),
    "transitions of three steps": lambda replay: replay.transitions(n_step=3, reward="unclipped"),
    "sequences": lambda replay: replay.sequences(7, stack_size=3, labels=True),
    "sequences with the channels last": lambda replay: replay.sequences(9, axis=-1),
}


@pytest.fixture(scope="module")
def joined_and_one() -> tuple[Any, Any]:
    """The same episodes as four datasets and as one."""
    episodes = make_all([shape for shapes in SHAPES for shape in shapes])
    ends = np.cumsum([0, *map(len, SHAPES)]).tolist()
    datasets = [episodes[start:end] for start, end in itertools.pairwise(ends)]
    return make_replay(*datasets), make_replay(episodes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 5, 300])
def test_batches_are_those_of_one_dataset(joined_and_one: Any, kind: str, size: int) -> None:
    joined, one = (KINDS[kind](replay) for replay in joined_and_one)
    assert len(joined) == len(one)
    indices = np.random.default_rng(size).integers(len(one), size=size)
    assert_same(joined[indices], one[indices], but=("dataset",))
    assert_same(joined[int(indices[0])], one[int(indices[0])], but=("dataset",))


@pytest.mark.parametrize("kind", KINDS)
def test_put_makes_one_of_them(joined_and_one: Any, kind: str) -> None:
    jax = pytest.importorskip("jax")
    source = KINDS[kind](joined_and_one[0])
    indices = np.random.default_rng(0).integers(len(source), size=50)
    moved = source.put(jax.device_put)
    batch, expected = moved[indices], source[indices]
    jitted = jax.jit(moved.gather)(moved.arrays, jax.numpy.asarray(indices))
    for name, column in expected.items():
        for got in (batch[name], jitted[name]):
            np.testing.assert_array_equal(np.asarray(got), column, name)


def test_selections(joined_and_one: Any) -> None:
    joined, one = joined_and_one
    mask = np.array([False, True, True, False, True, True])
    batch = joined.select(mask).transitions(labels=True)[:]
    assert_same(batch, one.select(mask).transitions(labels=True)[:], but=("dataset",))
    rows = joined.select(mask).episodes
    np.testing.assert_array_equal(batch["dataset"], rows["dataset"][batch["episode"]])
