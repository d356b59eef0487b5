"""Frames are made from the tables of one or several datasets, into new memory or given memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.replays import make_replay
from helpers.steps import make_all

from tfds_atari_replay.replay import gathering
from tfds_atari_replay.replay.gathering import gather_frames, gather_into

DATASETS = [make_all([(30, True, True), (5, False, False)]), make_all([(70, True, False)])]


@pytest.fixture(scope="module", params=[1, 2], ids=["one dataset", "two"])
def parts_and_frames(request: pytest.FixtureRequest) -> Any:
    """The tables, and all frames that they hold: zeros before each episode."""
    datasets = DATASETS[: request.param]
    replay = make_replay(*datasets)
    zero = np.zeros((1, 84, 84), np.uint8)
    episodes = [steps["observation"][..., 0] for dataset in datasets for steps in dataset]
    frames = np.concatenate([part for episode in episodes for part in (zero, episode)])
    return tuple(part.frames for part in replay.joined.parts), frames


def windows(parts: Any, count: int) -> Any:
    """Numbers of frames (count, 5), those of a row in one part, in any order of parts."""
    rng = np.random.default_rng(count)
    stops = np.cumsum([len(part.index) for part in parts])
    part = rng.integers(len(parts), size=count)
    lengths = np.array([len(part.index) for part in parts])[part]
    starts = stops[part] - lengths
    return (starts[:, np.newaxis] + rng.integers(lengths[:, np.newaxis], size=(count, 5))).astype(
        np.int32
    )


@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_new_memory(parts_and_frames: Any, count: int) -> None:
    parts, frames = parts_and_frames
    numbers = windows(parts, count)
    before = numbers.copy()
    got = gather_frames(parts, numbers)
    np.testing.assert_array_equal(got, frames[numbers], strict=True)
    np.testing.assert_array_equal(numbers, before)


@pytest.mark.parametrize("at_once", [1, 5, 40])
def test_blocks_of_any_size(
    parts_and_frames: Any, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads and blocks end anywhere."""
    monkeypatch.setattr(gathering, "_FRAMES_AT_ONCE", at_once)
    monkeypatch.setattr(gathering, "_HANDOVER", 10)
    parts, frames = parts_and_frames
    numbers = windows(parts, 61)
    np.testing.assert_array_equal(gather_frames(parts, numbers), frames[numbers])


@pytest.mark.parametrize("order", ["C", "F"])
def test_given_memory(parts_and_frames: Any, order: Any) -> None:
    parts, frames = parts_and_frames
    numbers = windows(parts, 9)
    out = np.full((9, 5, 84, 84), 3, np.uint8, order=order)
    gather_into(out, parts, numbers)
    np.testing.assert_array_equal(out, frames[numbers])
