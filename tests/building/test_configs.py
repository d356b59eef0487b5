"""The builder's configs, by name, in a list, and of one's own."""

import pathlib

import tensorflow_datasets as tfds
from helpers.datasets import DUMMY_DATA, build, rows

import tfds_atari_replay


def test_a_config_is_the_same_by_name_and_in_the_list() -> None:
    """TFDS refuses a config that equals the builder's but is another object."""
    by_name = tfds_atari_replay.AtariReplay.builder_configs
    listed = tfds_atari_replay.AtariReplay.BUILDER_CONFIGS
    assert list(by_name) == [config.name for config in listed]
    assert all(by_name[config.name] is config for config in listed)
    for name in ("", "breakout", "breakout_expert_v5", "breakout_expert_v0 ", "Breakout_full_v0"):
        assert name not in by_name


def test_a_config_of_ones_own(tmp_path: pathlib.Path) -> None:
    """A user's config has its own name, and takes the first of its checkpoints that exists."""
    config = tfds_atari_replay.AtariReplayConfig(
        name="mine", game="Breakout", run=1, checkpoints=(48, 10)
    )
    builder = tfds_atari_replay.AtariReplay(config=config, data_dir=tmp_path)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(DUMMY_DATA))
    )
    assert builder.info.metadata["checkpoints"] == [10]
    expected = build("breakout_medium_v0", DUMMY_DATA, tmp_path)
    assert [e["episode_return"] for e in rows(builder)] == [
        e["episode_return"] for e in rows(expected)
    ]
