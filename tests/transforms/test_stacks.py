"""Stacks gathered from frames, or from rows that are interleaved beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfds_atari_replay.transforms.chunks import PackedChunks
from tfds_atari_replay.transforms.stacks import StackedRows, gather_stacks, stack_rows
from tfds_atari_replay.windows.rule import Starts
from tfds_atari_replay.windows.stacking import Stacking

CHUNKS, FRAMES, HEIGHT, WIDTH = 2, 9, 5, 6


def packed_chunks(index: Any) -> PackedChunks:
    """Chunks of random rows, (7, WIDTH), with these frames."""
    rng: Any = np.random.default_rng(0)
    rows = rng.integers(0, 256, (7, WIDTH), np.uint8)
    nothing = Starts({}, None, None)
    return PackedChunks(tf.constant(rows), tf.constant(index, tf.int32), None, nothing)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_gathers_stacks_of_frames(size: int, axis: int) -> None:
    rng: Any = np.random.default_rng(0)
    frames = rng.integers(0, 256, (FRAMES, HEIGHT, WIDTH), np.uint8)
    first = [2, 0, 2]
    got = gather_stacks(tf.constant(frames), tf.constant(first), Stacking(size, axis))
    for stack, start in zip(got.numpy(), first, strict=True):
        np.testing.assert_array_equal(stack, np.stack(frames[start : start + size], axis))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_gathers_stacks_of_interleaved_rows(size: int) -> None:
    """Every stack that lies in a chunk, for rows that repeat and rows that change."""
    rng: Any = np.random.default_rng(1)
    chunks = packed_chunks(np.sort(rng.integers(0, 7, (CHUNKS, FRAMES, HEIGHT)), axis=1))
    frames = tf.gather(chunks.rows, chunks.index).numpy()
    stacked = stack_rows(chunks, size)
    assert stacked.rows.shape[1] == WIDTH * size
    for chunk in range(CHUNKS):
        rows = StackedRows(stacked.rows, stacked.index[chunk])
        first = np.arange(FRAMES - size + 1)
        got = gather_stacks(rows, tf.constant(first), Stacking(size, -1))
        assert got.shape == (len(first), HEIGHT, WIDTH, size)
        for stack, start in zip(got.numpy(), first, strict=True):
            np.testing.assert_array_equal(
                stack, np.stack(frames[chunk, start : start + size], axis=-1)
            )


@pytest.mark.parametrize("size", [2, 3, 4])
def test_rows_that_do_not_change_are_interleaved_once(size: int) -> None:
    """One row per chunk and height if nothing changes; a change adds as many as it is part of."""
    still = np.zeros((CHUNKS, FRAMES, HEIGHT), np.int32)
    assert len(stack_rows(packed_chunks(still), size).rows) == CHUNKS * HEIGHT
    changed = still.copy()
    changed[1, 4:, 2] = 1
    assert len(stack_rows(packed_chunks(changed), size).rows) == CHUNKS * HEIGHT + size
