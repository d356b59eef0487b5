"""Episodes become files of distinct units and groups."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from etils import epath
from helpers.replays import pack_steps, transitions_of, write_shard
from helpers.steps import FEATURES, make_all

from tfds_atari_replay.prepared.reading import read_file
from tfds_atari_replay.replay import packing
from tfds_atari_replay.replay.packed import map_folder
from tfds_atari_replay.replay.table import RowHash

EPISODES = make_all([(70, True, True), (3, True, True), (200, True, False)])


def test_packing_goes_on_with_a_different_hash(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = tmp_path / "shard"
    write_shard(shard, EPISODES)
    expected = transitions_of(pack_steps(EPISODES, tmp_path))
    seeds = []

    def hash_of(seed: int) -> Any:
        seeds.append(seed)
        return (lambda rows: rows[:, 0].astype(np.uint64)) if seed == 0 else RowHash(seed)

    monkeypatch.setattr(packing, "RowHash", hash_of)
    packing.pack(lambda: read_file(epath.Path(shard), 0, "tfrecord", FEATURES), tmp_path)
    assert seeds == [0, 1]
    assert transitions_of(map_folder(tmp_path, "{}")) == expected


def test_numbers_are_given_as_they_appear(tmp_path: pathlib.Path) -> None:
    """What is new in a frame lies side by side, which is quicker to read."""
    frames = pack_steps(EPISODES, tmp_path).frames
    for numbers, numbered in ((frames.index, frames.groups), (frames.groups, frames.units)):
        distinct, first = np.unique(numbers, return_index=True)
        np.testing.assert_array_equal(numbers.reshape(-1)[np.sort(first)], distinct)
        np.testing.assert_array_equal(distinct, np.arange(len(numbered)))


def test_nothing_is_kept_twice(tmp_path: pathlib.Path) -> None:
    """Groups are shared by frames, as units are by groups."""
    frames = pack_steps([*EPISODES, *EPISODES], tmp_path).frames
    for rows in (frames.units, frames.groups):
        assert len(np.unique(rows, axis=0)) == len(rows)
    half = len(frames.index) // 2
    np.testing.assert_array_equal(frames.index[:half], frames.index[half:])


def test_play_that_brings_nothing_new(tmp_path: pathlib.Path) -> None:
    """Hundreds of blocks of which all units are known already."""
    (once,) = make_all([(66, True, True)])
    expected = transitions_of(pack_steps([once], tmp_path))
    many = transitions_of(pack_steps([once] * 30, tmp_path))
    assert many == {transition: 30 * count for transition, count in expected.items()}
