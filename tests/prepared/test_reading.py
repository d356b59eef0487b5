"""Stored episodes hold what was written, in either format, and say what is missing."""

from __future__ import annotations

import math
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from array_record.python import array_record_module
from etils import epath
from helpers.datasets import rows
from helpers.replays import write_shard
from helpers.steps import FEATURES, make_all

from tfds_atari_replay import blocks, schema
from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.prepared.reading import (
    EPISODE,
    FIELDS,
    StoredEpisode,
    read_file,
    read_shard,
)

EPISODES = make_all([(70, True, True), (3, False, True), (20, True, False)])
SCALARS = ("action", "reward", "unclipped_reward", "is_first", "is_terminal")


def convert(shard: pathlib.Path, records: pathlib.Path) -> None:
    """Writes the records of a TFRecord file to an ArrayRecord file."""
    writer = array_record_module.ArrayRecordWriter(str(records), "group_size:1")
    for record in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator():
        writer.write(record)
    writer.close()


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_episodes_are_those_that_were_written(file_format: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "shard"
    write_shard(path, EPISODES)
    if file_format == "array_record":
        convert(path, tmp_path / "records")
        path = tmp_path / "records"
    found = list(read_file(epath.Path(path), 4, file_format, FEATURES))
    assert [(stored.shard, stored.record) for stored in found] == [(4, 0), (4, 1), (4, 2)]
    for number, (stored, steps) in enumerate(zip(found, EPISODES, strict=True)):
        expected = {
            "episode_id": number,
            "checkpoint_id": 7,
            "episode_return": steps["reward"].sum(),
            "is_complete": number == 0,
            "unclipped_return": steps["unclipped_reward"].sum(),
        }
        np.testing.assert_equal(stored.values, expected)
        assert type(stored.values["is_complete"]) is bool
        columns = stored.unpack_columns()
        assert set(columns) == set(SCALARS)
        for name, column in columns.items():
            np.testing.assert_array_equal(column, steps[name], strict=True)
        unpacked = (blocks.unpack_block_np(block, FIELDS["observation"]) for block in stored.frames)
        frames = [blocks.frames_of_np(block, FIELDS["observation"]) for block in unpacked]
        np.testing.assert_array_equal(np.concatenate(frames), steps["observation"])


def test_an_older_dataset_has_no_true_rewards(tmp_path: pathlib.Path) -> None:
    """They are NaN, even where a file has more than the dataset's features say."""
    (steps,) = make_all([(4, True, True)])
    assert not np.isnan(steps["unclipped_reward"]).any()
    write_shard(tmp_path / "shard", [steps])
    (stored,) = read_file(epath.Path(tmp_path / "shard"), 0, "tfrecord", schema.features("1.0.0"))
    assert math.isnan(stored.values["unclipped_return"])
    assert "unclipped_reward" not in stored.columns
    columns = stored.unpack_columns()
    assert columns["unclipped_reward"].shape == (4,)
    assert np.isnan(columns["unclipped_reward"]).all()
    np.testing.assert_array_equal(columns["reward"], steps["reward"])


@pytest.mark.parametrize("name", ["checkpoint_id", "steps/action", "steps/observation"])
def test_a_missing_field(name: str, tmp_path: pathlib.Path) -> None:
    """The message names the file and the field."""
    write_shard(tmp_path / "whole", EPISODES[:1])
    (record,) = tf.data.TFRecordDataset(str(tmp_path / "whole")).as_numpy_iterator()
    example = tf.train.Example.FromString(record)
    del example.features.feature[name]
    with tf.io.TFRecordWriter(str(tmp_path / "shard")) as writer:
        writer.write(example.SerializeToString())
    with pytest.raises(DamageError, match=rf"{tmp_path}/shard: an episode has no {name}"):
        list(read_file(epath.Path(tmp_path / "shard"), 0, "tfrecord", FEATURES))


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_a_missing_file(file_format: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        list(read_file(epath.Path(tmp_path / "nowhere"), 0, file_format, FEATURES))


def make_stored(**lengths: int) -> StoredEpisode:
    """A stored episode whose columns have these lengths."""
    columns = {
        name: blocks.pack_column(np.ones(length, FIELDS[name].np_dtype))
        for name, length in lengths.items()
    }
    return StoredEpisode({"episode_id": 5}, columns, [], 0, 0)


@pytest.mark.parametrize("lengths", [{"action": 3, "reward": 2}, {"action": 0, "reward": 0}])
def test_columns_of_different_lengths(lengths: dict[str, int]) -> None:
    """None at all is no episode either."""
    with pytest.raises(ValueError, match="episode 5: expected fields of one length") as error:
        make_stored(**lengths).unpack_columns()
    assert str(error.value).endswith(f"at least 1, got {lengths}")


@pytest.mark.parametrize(("ends_in_terminal", "length"), [(True, 2), (False, 3)])
def test_a_row_counts_logged_steps(ends_in_terminal: bool, length: int) -> None:
    """The terminal state is none."""
    values = {
        "episode_id": 5,
        "checkpoint_id": 7,
        "episode_return": 2.5,
        "is_complete": True,
        "unclipped_return": math.nan,
    }
    stored = StoredEpisode(values, {}, [], 0, 0)
    is_terminal = np.array([False, False, ends_in_terminal])
    row = np.array(stored.describe({"action": np.zeros(3), "is_terminal": is_terminal}), EPISODE)
    assert row["length"] == length
    np.testing.assert_equal({name: row[name].item() for name in values}, values)


def test_a_shard_of_a_dataset(expert: Any) -> None:
    found = list(read_shard(expert, 0))
    expected = {int(episode["episode_id"]): episode for episode in rows(expert)}
    assert {stored.values["episode_id"] for stored in found} == set(expected)
    for stored in found:
        steps = expected[stored.values["episode_id"]]["steps"]
        columns = stored.unpack_columns()
        assert columns["action"].tolist() == [step["action"] for step in steps]
