"""The block format: blocks of any version and geometry can be read."""

import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import ROOT, rows
from helpers.logs import make_episodes
from helpers.steps import (
    UNDECODED,
    as_dataset,
    assert_equal,
    by_number,
    expected_transitions,
    make_all,
    unbatched,
)

from tfds_atari_replay import blocks, transitions

STORED = ROOT / "tests" / "data" / "without_geometry"
"""A dataset that the first version wrote, whose blocks do not store their geometry."""

FRAMES = tfds.features.TensorInfo(shape=(84, 84, 1), dtype=np.uint8)
ACTIONS = tfds.features.TensorInfo(shape=(), dtype=np.int64)


def as_transitions(dataset: Any, **kwargs: Any) -> list[Any]:
    batches = dataset.apply(transitions(batch_size=64, **kwargs)).as_numpy_iterator()
    return by_number(unbatched(batches))


def test_a_dataset_of_the_first_version_is_read_step_by_step(tmp_path: pathlib.Path) -> None:
    shutil.copytree(STORED, tmp_path / "data")
    whole = make_episodes([3, 130, 64, 40], last_is_cut=True)
    truths = [*whole[:3], whole[3].cut(0, 39)]
    builder = tfds.builder("atari_replay/breakout_epoch_0_v0", data_dir=tmp_path / "data")
    for episode, truth in zip(rows(builder), truths, strict=True):
        steps = episode["steps"][: len(truth.action)]
        frames = np.array([step["observation"][..., 0] for step in steps])
        np.testing.assert_array_equal(frames, truth.frames)
        np.testing.assert_array_equal([step["action"] for step in steps], truth.action)
        np.testing.assert_array_equal([step["reward"] for step in steps], truth.reward)
        assert len(episode["steps"]) - len(steps) == truth.ends_in_terminal


def test_numpy_unpacks_blocks_of_the_first_version(tmp_path: pathlib.Path) -> None:
    """The lead and the frames of each block."""
    shutil.copytree(STORED, tmp_path / "data")
    builder = tfds.builder("atari_replay/breakout_epoch_0_v0", data_dir=tmp_path / "data")
    whole = make_episodes([3, 130, 64, 40], last_is_cut=True)
    for episode in builder.as_dataset(split="train", decoders=UNDECODED).as_numpy_iterator():
        truth = whole[int(episode["episode_id"])]
        # Zeros before the first step, and in the terminal state.
        length = len(blocks.unpack_column_np(episode["steps"]["action"], ACTIONS))
        frames = np.zeros((8 + length, 84, 84), np.uint8)
        known = min(length, len(truth.frames))
        frames[8 : 8 + known] = truth.frames[:known]
        for number, stored in enumerate(episode["steps"]["observation"]):
            assert stored[0] == 0x78  # as zlib begins; today's begin with a version
            block = blocks.unpack_block_np(stored, FRAMES)
            start = 64 * number
            assert block.lead == 8
            stop = min(start + 64, length)
            np.testing.assert_array_equal(block.rows[block.index], frames[start : 8 + stop])


@pytest.mark.parametrize("n_step", cases(1, slow=[7]))
def test_transitions_of_the_first_versions_dataset(tmp_path: pathlib.Path, n_step: int) -> None:
    """Stored and decoded steps give the same transitions."""
    shutil.copytree(STORED, tmp_path / "data")
    builder = tfds.builder("atari_replay/breakout_epoch_0_v0", data_dir=tmp_path / "data")
    packed, decoded = (
        as_transitions(builder.as_dataset(split="train", decoders=decoders), n_step=n_step)
        for decoders in (UNDECODED, None)
    )
    assert len(packed) == 3 + 130 + 64 + 39 - n_step
    assert_equal(packed, decoded)


@pytest.mark.parametrize(("block_length", "lead"), cases((10, 3), slow=[(1, 8), (100, 20)]))
def test_the_geometry_is_read_from_the_block(
    monkeypatch: pytest.MonkeyPatch, block_length: int, lead: int
) -> None:
    """Windows of any length can be read from blocks of other geometries than today's."""
    episodes = make_all([(70, True, True), (3, False, True), (131, True, False)])
    with monkeypatch.context() as patch:
        patch.setattr(blocks, "BLOCK_LENGTH", block_length)
        patch.setattr(blocks, "LEAD", lead)
        dataset = as_dataset(episodes, UNDECODED)
        stored = list(dataset.as_numpy_iterator())
    for size, n_step in ((4, 1), (4, 3), (2, 12)):
        expected = [t for steps in episodes for t in expected_transitions(steps, size, n_step, 0.9)]
        got = as_transitions(dataset, stack_size=size, n_step=n_step, gamma=0.9)
        assert_equal(got, by_number(expected))
    packed = stored[2]["steps"]["observation"]
    frames = [
        blocks.frames_of_np(blocks.unpack_block_np(block, FRAMES), FRAMES) for block in packed
    ]
    np.testing.assert_array_equal(np.concatenate(frames), episodes[2]["observation"])


def test_a_newer_version_is_refused() -> None:
    """However many blocks are unpacked at once; the error says what to install."""
    frames = np.zeros((blocks.LEAD + 3, 84, 84, 1), np.uint8)
    known = blocks.pack_blocks(frames)[0]
    newer = b"\x02\x00" + known[2:]
    advice = r"newer tfds_atari_replay.*pip install --upgrade tfds-atari-replay"
    with pytest.raises(ValueError, match=rf"version 0 or 1, got 2\. .*{advice}"):
        blocks.unpack_block_np(newer, FRAMES)
    assert len(blocks.unpack_block_np(known, FRAMES).index) == blocks.LEAD + 3
    # As transforms do it, in a function of tf.data.
    for stored in ([newer], [known, newer]):
        dataset = tf.data.Dataset.from_tensors(stored).map(
            lambda stored: blocks.unpack_blocks(stored, FRAMES).length
        )
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"version 0 or 1.*{advice}"):
            list(dataset)
    with pytest.raises(tf.errors.InvalidArgumentError, match=advice):
        blocks.read_geometry(tf.constant(newer))


def test_numpy_and_tensorflow_unpack_the_same() -> None:
    """The frames change in a few rows, in all rows, or not at all."""
    rng: Any = np.random.default_rng(0)
    frames = rng.integers(0, 256, (20, 84, 84, 1), np.uint8)
    frames[5:9] = frames[4]
    frames[10] = frames[9]
    frames[10, 40] = 0
    block = blocks.pack_blocks(frames)[0]
    in_numpy = blocks.frames_of_np(blocks.unpack_block_np(block, FRAMES), FRAMES)
    in_tensorflow, geometry = blocks.unpack_frames(tf.constant(block), FRAMES)
    np.testing.assert_array_equal(in_numpy, frames[8:])
    np.testing.assert_array_equal(in_tensorflow, frames[8:])
    assert [int(value) for value in geometry] == [blocks.BLOCK_LENGTH, 8]
