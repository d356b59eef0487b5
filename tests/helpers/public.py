"""The public places, played by a server on this machine; see the fixture `public`."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import pytest
import tensorflow_datasets as tfds

from helpers.datasets import DUMMY_DATA
from helpers.logs import make_episodes
from helpers.unplugged import write_unplugged
from tfds_atari_replay.logs import locating

LOGS = DUMMY_DATA / "Breakout" / "1" / "replay_logs"
UNPLUGGED = "Breakout/run_1-00049-of-00050"
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


def build_from(place: Any, data_dir: pathlib.Path, config: str = "breakout_expert_v0") -> Any:
    """Builds without a manual_dir, with the variable set to a place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(locating.SOURCE_VARIABLE, str(place))
        return build_public(data_dir, config)


def serve_unplugged(folder: pathlib.Path, name: str = UNPLUGGED) -> None:
    """Puts a file where RL Unplugged's are."""
    path = folder / "public" / "unplugged" / "atari_episodes_ordered" / name
    write_unplugged(path, make_episodes([4, 6]))
