"""Datasets built from logs."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

import tfds_atari_replay  # noqa: F401, registers the builder

ROOT = pathlib.Path(__file__).resolve().parents[2]
DUMMY_DATA = ROOT / "dummy_data"
TFDS = pathlib.Path(sys.executable).with_name("tfds")


def build(config: str, manual_dir: pathlib.Path, data_dir: pathlib.Path, **kwargs: Any) -> Any:
    """Builds a dataset; returns its builder."""
    builder = tfds.builder(f"atari_replay/{config}", data_dir=str(data_dir), **kwargs)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=epath.Path(manual_dir))
    )
    return builder


def rows(builder: Any, **kwargs: Any) -> list[dict[str, Any]]:
    """All episodes in the order of time, their steps as lists."""
    found = [
        {**episode, "steps": list(episode["steps"])}
        for episode in tfds.as_numpy(builder.as_dataset(split="train", **kwargs))
    ]
    return sorted(found, key=lambda episode: int(episode["episode_id"]))


def columns(steps: list[dict[str, Any]], *names: str) -> list[list[Any]]:
    """Some fields of steps as lists."""
    return [[step[name].item() for step in steps] for name in names]


def assert_no_dataset(data_dir: pathlib.Path, config: str) -> None:
    """Nothing lies there that passes for a dataset."""
    assert not tfds.builder(f"atari_replay/{config}", data_dir=data_dir).is_prepared()
    assert not list(data_dir.rglob("dataset_info.json"))
    # What is written of a run is kept, where TFDS looks for nothing.
    shards = data_dir.rglob("*.tfrecord*")
    assert all(path.parent.name.startswith("incomplete.run_") for path in shards)
