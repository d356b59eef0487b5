"""Stacks of frames: which frames they have, and along which axis."""

from __future__ import annotations

import numpy as np
import pytest

from tfds_atari_replay.windows.stacking import LiveStacks, Stacking, reach


def test_reach_ends_at_the_frame_of_zeros() -> None:
    """Frame 10 is that of zeros; the episode's are 11, 12, 13, 14."""
    back = np.array([[1], [2], [3], [4]])
    frames = 10 + back + reach(Stacking(3).offsets, back)
    assert frames.tolist() == [[10, 10, 11], [10, 11, 12], [11, 12, 13], [12, 13, 14]]


@pytest.mark.parametrize("axis", [0, -1])
def test_axis(axis: int) -> None:
    stacking = Stacking(2, axis)
    stacks = np.arange(3 * 2 * 4 * 5).reshape(3, 2, 4, 5)
    moved = stacking.to_axis(stacks)
    assert moved.shape[1:] == stacking.shape((4, 5))
    for item in range(3):
        for frame in range(2):
            np.testing.assert_array_equal(moved[item].take(frame, axis), stacks[item, frame])


def test_live_stacks() -> None:
    def frames(*values: int) -> np.ndarray:
        return np.array(values, np.uint8)[:, np.newaxis, np.newaxis]

    live = LiveStacks(2, Stacking(3), (1, 1))
    live.start([0, 1], frames(1, 101))
    assert live.stacks.reshape(2, 3).tolist() == [[0, 0, 1], [0, 0, 101]]
    live.push(frames(2, 102))
    live.push(frames(3, 103))
    live.push(frames(4, 104))
    live.start([1], frames(201))
    assert live.stacks.reshape(2, 3).tolist() == [[2, 3, 4], [0, 0, 201]]
