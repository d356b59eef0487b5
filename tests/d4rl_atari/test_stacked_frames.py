"""Stacks that share the memory of frames are those of d4rl-atari."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.stacks import slow_stacks

from tfds_atari_replay.d4rl_atari.stacked_frames import StackedFrames


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 30])
def test_stacked_frames_are_a_sequence(length: int) -> None:
    """Integers, slices, index arrays and masks work, also from the end; errors are a list's."""
    rng: Any = np.random.default_rng(length)
    frames = rng.integers(1, 256, (length, 84, 84), np.uint8)
    terminals = (rng.random(length) < 0.3).astype(np.uint8)
    stacks, expected = StackedFrames(frames, terminals), slow_stacks(frames, terminals)
    assert len(stacks) == length
    np.testing.assert_array_equal(np.stack(list(stacks)), expected)
    np.testing.assert_array_equal(stacks[-1], expected[-1])
    for part in (slice(None), slice(1, 3), slice(None, None, -2), slice(-2, None)):
        assert isinstance(stacks[part], list)
        assert len(stacks[part]) == len(expected[part])
        for one, other in zip(stacks[part], expected[part], strict=True):
            np.testing.assert_array_equal(one, other)
    index = rng.integers(-length, length, 50)
    np.testing.assert_array_equal(stacks[index], np.stack(expected)[index])
    mask = rng.random(length) < 0.5
    np.testing.assert_array_equal(stacks[mask], np.stack(expected)[mask])
    assert stacks[np.array([], np.int64)].shape == (0, 4, 84, 84)
    for bad in (length, -length - 1, np.array([length])):
        with pytest.raises(IndexError, match="out of range"):
            stacks[bad]
    with pytest.raises(
        IndexError, match=r"must be integers \(k,\) or booleans, got float64 \(1,\)"
    ):
        stacks[np.array([0.0])]
    with pytest.raises(IndexError, match=rf"a mask must have shape \({length},\), got \(99,\)"):
        stacks[np.zeros(99, np.bool_)]


def test_stacks_share_the_frames_memory() -> None:
    """A stack without zeros is a view."""
    frames = np.ones((10, 84, 84), np.uint8)
    stacks = StackedFrames(frames, np.zeros(10, np.uint8))
    assert np.shares_memory(stacks[5], frames)
    assert not np.shares_memory(stacks[2], frames)
