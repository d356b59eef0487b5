"""Batches in given memory, items as PyTorch's DataLoader asks for them, pickles and reprs."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from helpers.replays import make_replay
from helpers.steps import make_all
from helpers.transitions import assert_same

SHAPES = [(200, True, True), (9, False, False), (70, True, False)]
KINDS: dict[str, Any] = {
    "transitions": lambda replay: replay.transitions(labels=True),
    "three steps": lambda replay: replay.transitions(n_step=3),
    "channels last": lambda replay: replay.transitions(axis=-1),
    "sequences": lambda replay: replay.sequences(7, labels=True),
    "sequences, channels last": lambda replay: replay.sequences(7, axis=-1),
}


@pytest.fixture(params=["one dataset", "two"], scope="module")
def replay(request: pytest.FixtureRequest) -> Any:
    """Numbered steps, in one dataset or in two."""
    episodes = make_all(SHAPES)
    return (
        make_replay(episodes)
        if request.param == "one dataset"
        else make_replay(episodes[:1], episodes[1:])
    )


@pytest.mark.parametrize("kind", KINDS)
def test_taking_into_an_earlier_batch(replay: Any, kind: str) -> None:
    source = KINDS[kind](replay)
    batch = source[np.arange(40)]
    pointers = {name: array.ctypes.data for name, array in batch.items()}
    indices = np.random.default_rng(0).integers(len(source), size=40)
    assert source.take(indices, out=batch) is batch
    assert_same(batch, source[indices])
    assert {name: array.ctypes.data for name, array in batch.items()} == pointers
    assert_same(source.take(indices), batch)


@pytest.mark.parametrize("kind", KINDS)
def test_taking_into_arrays_of_ones_own(replay: Any, kind: str) -> None:
    """In any order of memory, with or without frames that observations share."""
    source = KINDS[kind](replay)
    indices = np.random.default_rng(0).integers(len(source), size=1)
    for size in (1, 33):
        indices = np.random.default_rng(size).integers(len(source), size=size)
        expected = source[indices]
        for order in ("C", "F"):
            own: Any = {
                name: np.empty(array.shape, array.dtype, order=order)
                for name, array in expected.items()
            }
            source.take(indices, out=own)
            assert_same(own, expected)


def test_what_cannot_hold_a_batch(replay: Any) -> None:
    """Nothing is written, and the message says what was expected."""
    source = replay.transitions()
    batch = source[[1, 2, 3]]
    before = {name: array.copy() for name, array in batch.items()}
    read_only = batch["reward"].copy()
    read_only.flags.writeable = False
    for bad, message in (
        ({**batch, "reward": batch["reward"].astype(float)}, r"float32 \(3,\) .got float64 \(3,\)"),
        ({**batch, "reward": read_only}, "which cannot be written"),
        ({name: array[:2] for name, array in batch.items()}, r"\(3, 4, 84, 84\) .got uint8 \(2,"),
        ({"reward": batch["reward"]}, "out must have observation, action"),
    ):
        with pytest.raises(ValueError, match=message):
            source.take([4, 5, 6], out=bad)
    with pytest.raises(ValueError, match="out is for a batch"):
        source.take(3, out=batch)
    with pytest.raises(IndexError, match="Expected indices from 0"):
        source.take([4, 5, 10**6], out=batch)
    assert_same(batch, before)


def test_out_on_a_device(replay: Any) -> None:
    jax = pytest.importorskip("jax")
    source = replay.transitions()
    with pytest.raises(TypeError, match=r"out is for sources in NumPy's memory, this is .*JAX"):
        source.put(jax.device_put).take([1], out=source[[1]])


def test_a_list_of_items(replay: Any) -> None:
    """What PyTorch asks for: the items that single indices give."""
    source = replay.transitions(n_step=3, labels=True)
    indices = [5, 0, 200, 5]
    for item, index in zip(source.__getitems__(indices), indices, strict=True):
        assert_same(item, source[index])


def test_a_source_says_what_it_holds(expert_replay: Any) -> None:
    source = expert_replay.transitions(n_step=3, gamma=0.9, axis=-1)
    settings = "stack_size=4, axis=-1, reward=clipped, labels=False, n_step=3, gamma=0.9"
    assert repr(source) == f"TransitionSource({len(source):,} items, {settings}; NumPy)"
    source = expert_replay.sequences(30, stack_size=2, reward="unclipped")
    settings = "stack_size=2, axis=0, reward=unclipped, labels=False, steps=30"
    assert repr(source) == f"SequenceSource({len(source):,} items, {settings}; NumPy)"
    jax = pytest.importorskip("jax")
    device = jax.devices()[0]
    assert repr(source.put(jax.device_put)).endswith(f"{settings}; JAX, {device})")


def test_what_is_pickled_does_not_grow(expert_replay: Any) -> None:
    """Other processes list the items again; only a selection of episodes is sent."""
    sizes = {
        len(pickle.dumps(source))
        for source in (
            expert_replay.transitions(n_step=3, labels=True),
            expert_replay.sequences(30, labels=True),
            expert_replay,
        )
    }
    assert max(sizes) < 2500
    selected = expert_replay.select([1])
    assert_same(pickle.loads(pickle.dumps(selected)).transitions()[:], selected.transitions()[:])
