"""Collections of games, through TFDS's own functions and ours."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import tensorflow_datasets as tfds
from helpers.datasets import DUMMY_DATA, rows
from helpers.logs import make_episodes, write_log

import tfds_atari_replay
from tfds_atari_replay import GAMES
from tfds_atari_replay.building import collections

NAMES = [
    f"atari_replay_{split}{size}"
    for split in ("mixed", "medium", "expert", "full")
    for size in ("", 4, 5, 26, 41, 46)
]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Logs of four of the five games."""
    root = tmp_path_factory.mktemp("logs")
    for number, game in enumerate(("Asterix", "Breakout", "Qbert", "Seaquest")):
        write_log(root / game / "1" / "replay_logs", 50, make_episodes([30, 40 + number]))
    return root


def arguments(logs: pathlib.Path, data_dir: pathlib.Path) -> dict[str, Any]:
    """Keywords of tfds.load."""
    config = tfds.download.DownloadConfig(manual_dir=str(logs))
    return {
        "split": "train",
        "data_dir": data_dir,
        "download_and_prepare_kwargs": {"download_config": config},
    }


def test_all_are_listed_by_tfds() -> None:
    assert set(NAMES) <= set(tfds.list_dataset_collections())


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_split_of_its_games(name: str) -> None:
    """Every entry is a config of the builder."""
    loader = tfds.dataset_collection(name)
    split = name.removeprefix("atari_replay_").rstrip("0123456789")
    size = int(name.removeprefix(f"atari_replay_{split}") or 60)
    assert len(loader.datasets) == size
    for rom, reference in loader.datasets.items():
        assert reference.config == f"{rom}_{split}_v0"
        assert reference.config in tfds_atari_replay.AtariReplay.builder_configs
    assert str(size) in loader.collection.info.description


def test_selections_are_those_of_the_papers() -> None:
    """The selections have the papers' sizes, and all games are in the table."""
    assert [len(games) for games in collections.SUITES.values()] == [4, 5, 26, 41, 46, 60]
    for games in collections.SUITES.values():
        assert set(games) <= set(GAMES)
    held_out = {"Alien", "MsPacman", "Pong", "SpaceInvaders", "StarGunner"}
    unplugged = {name for name, game in GAMES.items() if game.unplugged_shards}
    assert set(collections.SUITES[41]) | held_out == unplugged


def test_tfds_loads_one_of_a_collection(tmp_path: pathlib.Path) -> None:
    """One dataset of a collection is what tfds.load gives."""
    loader = tfds.dataset_collection("atari_replay_full5")
    found = loader.load_dataset("asterix", loader_kwargs=arguments(DUMMY_DATA, tmp_path))
    builder = tfds.builder("atari_replay/asterix_full_v0", data_dir=tmp_path)
    assert list(found) == ["train"]
    assert [int(e["episode_id"]) for e in tfds.as_numpy(found["train"])] == [
        int(e["episode_id"]) for e in rows(builder)
    ]


def test_missing_games_are_named(
    logs: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The error comes after all other games are prepared; or those games are skipped."""
    kwargs = arguments(logs, tmp_path)
    with pytest.raises(FileNotFoundError, match=r"full5: no logs of pong\. The first: No replay"):
        tfds_atari_replay.load_collection("atari_replay_full5", **kwargs)
    loaded = tfds_atari_replay.load_collection("atari_replay_full5", missing="skip", **kwargs)
    assert list(loaded) == ["asterix", "breakout", "qbert", "seaquest"]
    assert "atari_replay_full5: no logs of pong. Left out." in caplog.text
    for number, dataset in enumerate(loaded.values()):
        lengths = [len(episode["steps"]) for episode in tfds.as_numpy(dataset)]
        assert lengths == [31, 41 + number]


def test_no_game_at_all(tmp_path: pathlib.Path) -> None:
    """Skipping every game is an error."""
    with pytest.raises(FileNotFoundError, match="no logs of asterix, breakout, pong, qbert, seaq"):
        tfds_atari_replay.load_collection(
            "atari_replay_full5", missing="skip", **arguments(tmp_path, tmp_path / "data")
        )
    with pytest.raises(ValueError, match=r"missing must be 'raise' or 'skip' \(got 'ignore'\)"):
        tfds_atari_replay.load_collection("atari_replay_full5", missing="ignore")
