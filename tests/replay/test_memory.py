"""Memory of large batches is used again, but never while a batch is in use."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from helpers.replays import make_replay
from helpers.steps import make_steps

from tfds_atari_replay.replay import memory


@pytest.fixture(autouse=True)
def no_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of earlier tests, and blocks are small."""
    gc.collect()
    memory._spare.clear()
    monkeypatch.setattr(memory, "_SMALLEST", 100)
    monkeypatch.setattr(memory, "_LARGEST", 200)


def pointer(array: Any) -> int:
    """Where an array lies."""
    return int(array.ctypes.data)


def test_a_block_is_used_again_once_all_its_views_are_gone() -> None:
    first = memory.empty((10, 15))
    assert first.shape == (10, 15)
    assert first.dtype == np.uint8
    place, view = pointer(first), first[3:]
    del first
    assert pointer(memory.empty((150,))) != place
    view[:] = 7  # still there
    memory._spare.clear()
    del view
    assert pointer(memory.empty((15, 10))) == place


@pytest.mark.parametrize("sizes", [(99, 99), (201, 201), (151, 150)])
def test_blocks_that_are_not_kept(sizes: tuple[int, int]) -> None:
    """Small ones, whose memory comes soon; huge ones; and those of a different size."""
    first = memory.empty((sizes[0],))
    del first
    spare = list(memory._spare)
    assert [len(block) for block in spare] == ([151] if sizes[0] == 151 else [])
    second = memory.empty((sizes[1],))
    assert second.shape == (sizes[1],)
    assert not any(np.shares_memory(second, block) for block in spare)


def test_large_batches_use_memory_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that is in use is never written to."""
    monkeypatch.setattr(memory, "_LARGEST", 2**28)
    source = make_replay([make_steps(201)]).transitions()
    rng = np.random.default_rng(0)
    one, other = (rng.integers(len(source), size=50) for _ in range(2))
    kept = source[one]["next_observation"]
    expected = kept.copy()
    pointers = set()
    for _ in range(6):
        batch = source[other]
        pointers.add(batch["observation"].ctypes.data)
        np.testing.assert_array_equal(kept, expected)
    assert len(pointers) == 2
    np.testing.assert_array_equal(batch["observation"], source[other[::-1]]["observation"][::-1])
    del batch, kept
    gc.collect()
    assert len(memory._spare) == 1
