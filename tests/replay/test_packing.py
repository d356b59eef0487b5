"""Episodes become files of units, and several replays one."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from helpers.replays import pack_steps, transitions_of, write_shard
from helpers.steps import FEATURES, make_all

from tfds_atari_replay.prepared.reading import read_file
from tfds_atari_replay.replay import packing, table
from tfds_atari_replay.replay.packed import join, map_folder

EPISODES = make_all([(70, True, True), (3, True, True), (200, True, False)])


def test_packing_goes_on_with_a_different_hash(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = tmp_path / "shard"
    write_shard(shard, EPISODES)
    expected = transitions_of(pack_steps(EPISODES, tmp_path))
    real, seeds = table.UnitHash, []

    def hash_of(seed: int) -> Any:
        seeds.append(seed)
        return (lambda units: units[:, 0].astype(np.uint64)) if seed == 0 else real(seed)

    monkeypatch.setattr(table, "UnitHash", hash_of)
    packing.pack(lambda: read_file(shard, 0, "tfrecord", FEATURES), tmp_path)
    assert seeds == [0, 1]
    assert transitions_of(map_folder(tmp_path, "{}")) == expected


def test_units_are_numbered_as_they_appear(tmp_path: pathlib.Path) -> None:
    """Those that are new in a frame lie side by side, which is quicker to read."""
    index = pack_steps(EPISODES, tmp_path).index.reshape(-1)
    numbers, first = np.unique(index, return_index=True)
    np.testing.assert_array_equal(index[np.sort(first)], numbers)


def test_joined_parts_are_their_sum(tmp_path: pathlib.Path) -> None:
    parts = []
    for number, episodes in enumerate((EPISODES[:1], EPISODES[1:])):
        folder = tmp_path / str(number)
        folder.mkdir()
        parts.append(pack_steps(episodes, folder))
    assert transitions_of(join(parts)) == transitions_of(parts[0]) + transitions_of(parts[1])


def test_joined_parts_share_their_units(tmp_path: pathlib.Path) -> None:
    part = pack_steps(EPISODES, tmp_path)
    joined = join([part, part])
    np.testing.assert_array_equal(joined.units, part.units)
    np.testing.assert_array_equal(joined.index, np.concatenate([part.index, part.index]))


def test_play_that_brings_nothing_new(tmp_path: pathlib.Path) -> None:
    """Hundreds of blocks of which all units are known already."""
    (once,) = make_all([(66, True, True)])
    expected = transitions_of(pack_steps([once], tmp_path))
    many = transitions_of(pack_steps([once] * 30, tmp_path))
    assert many == {transition: 30 * count for transition, count in expected.items()}
