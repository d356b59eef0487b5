"""The public places, played by a server on this machine; see the fixture `public`."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import tensorflow_datasets as tfds

from helpers.datasets import DUMMY_DATA

LOG_FILES = {
    *(f"$store$_{name}_ckpt.50.gz" for name in ("observation", "action", "reward", "terminal")),
    "add_count_ckpt.50.gz",
}


def build_public(data_dir: pathlib.Path, config: str = "breakout_expert_v0") -> Any:
    """Builds from the public places."""
    builder = tfds.builder(f"atari_replay/{config}", data_dir=str(data_dir))
    builder.download_and_prepare()
    return builder


def serve_logs(folder: pathlib.Path) -> None:
    """Puts dummy_data where the public logs are."""
    shutil.copytree(DUMMY_DATA, folder / "public" / "logs" / "dqn")
