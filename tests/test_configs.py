"""Names of configs, and what they stand for."""

import pathlib
from typing import Any

import pytest
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, build, rows

import tfds_atari_replay


def test_config_names() -> None:
    """There is one for every game, split and seed, and no other."""
    names = [config.name for config in tfds_atari_replay.AtariReplay.BUILDER_CONFIGS]
    splits = ["mixed", "medium", "expert", "full", *(f"epoch_{number}" for number in range(51))]
    assert set(names) == {
        f"{game.rom}_{split}_v{seed}"
        for game in tfds_atari_replay.GAMES.values()
        for split in splits
        for seed in range(5)
    }
    assert len(names) == len(set(names)) == 60 * 55 * 5


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("brekout_expert_v0", "breakout_expert_v0"),
        ("breakout_expret_v0", "breakout_expert_v0"),
        ("breakout-mixed-v0", "breakout_mixed_v0"),
        ("breakout_epoch_51_v0", "breakout_epoch_5"),
        ("space_invaders_mixed_v5", "space_invaders_mixed_v"),
        ("Pong_mixed_v1", "pong_mixed_v1"),
    ],
)
def test_an_unknown_config_is_refused_at_once(name: str, close: str, tmp_path: Any) -> None:
    """The error suggests close names, not all 16,500."""
    with pytest.raises(
        ValueError, match=rf"Unknown config '{name}'.*Did you mean .*{close}"
    ) as error:
        tfds.load(f"atari_replay/{name}", data_dir=tmp_path)
    assert len(str(error.value)) < 800


@pytest.mark.parametrize(
    ("config", "checkpoint"),
    cases(
        ("breakout_expert_v0", 50),
        ("breakout_expert_v4", 49),
        ("breakout_medium_v0", 10),
        slow=[("breakout_mixed_v0", 1), ("breakout_epoch_49_v0", 49), ("asterix_epoch_0_v0", 0)],
    ),
)
def test_splits_are_checkpoints(config: str, checkpoint: int, tmp_path: pathlib.Path) -> None:
    """Expert falls back to 49 where the run has no 50."""
    builder = build(config, DUMMY_DATA, tmp_path)
    assert builder.info.metadata["checkpoints"] == [checkpoint]
    assert {int(episode["checkpoint_id"]) for episode in rows(builder)} == {checkpoint}
