"""What tests share: logs with their truth kept beside them, and datasets built from them."""

from __future__ import annotations

import dataclasses
import gzip
import os
import pathlib
from collections.abc import Iterator
from typing import Any

# Before TensorFlow is imported: its start-up lines say nothing about a test.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow_datasets as tfds
from etils import epath

import tfds_atari_replay
from tfds_atari_replay import recording, replay_logs, sources

ROOT = pathlib.Path(__file__).resolve().parents[1]
DUMMY_DATA = ROOT / "dummy_data"

GameName = str


@dataclasses.dataclass(frozen=True)
class Truth:
    """An episode as it was played; `frames` are the observations the actions were taken at."""

    frames: npt.NDArray[np.uint8]
    action: npt.NDArray[np.int32]
    reward: npt.NDArray[np.float32]
    ends_in_terminal: bool = True
    starts_at_reset: bool = True

    def cut(self, start: int, stop: int) -> Truth:
        """The steps from start to stop, as a piece of the episode."""
        return Truth(
            self.frames[start:stop],
            self.action[start:stop],
            self.reward[start:stop],
            self.ends_in_terminal and stop == len(self.action),
            self.starts_at_reset and start == 0,
        )


def write_log(folder: pathlib.Path, capacity: int, episodes: list[Truth]) -> list[list[Truth]]:
    """Logs episodes one after the other; returns what each checkpoint holds of them.

    The truth does not come from walking rings: a checkpoint dumped after n adds holds the adds from
    n - capacity to n.
    """
    logger = recording.ReplayLogger(folder, capacity)
    adds: list[tuple[int, int]] = []  # per add: episode, step; step is -1 in padding
    held = []
    for number, episode in enumerate(episodes):
        adds += [(number, -1)] * 3
        for step in range(len(episode.action)):
            dumps = logger.num_dumps
            terminal = episode.ends_in_terminal and step == len(episode.action) - 1
            adds.append((number, step))
            logger.add(
                episode.frames[step], int(episode.action[step]), float(episode.reward[step]), terminal
            )
            if logger.num_dumps > dumps:
                held.append(adds[-capacity:])
    logger.close()
    held.append(adds[-capacity:])
    return [_pieces(checkpoint, episodes) for checkpoint in held]


def _pieces(adds: list[tuple[int, int]], episodes: list[Truth]) -> list[Truth]:
    pieces = []
    for number in sorted({number for number, _ in adds}):
        steps = [step for owner, step in adds if owner == number and step >= 0]
        if steps:
            piece = episodes[number].cut(steps[0], steps[-1] + 1)
            # An episode of which no padding row is left cannot be told from the rest of one.
            if (number, -1) not in adds:
                piece = dataclasses.replace(piece, starts_at_reset=False)
            pieces.append(piece)
    return pieces


def open_log(root: pathlib.Path, game: str, run: int, number: int) -> replay_logs.Checkpoint:
    """Opens a checkpoint of the logs under a folder."""
    files = sources.find_checkpoint(
        [epath.Path(root)], tfds_atari_replay.GAMES[game], run, [number]
    )
    return replay_logs.open_checkpoint(files)


def build(config: str, manual_dir: pathlib.Path, data_dir: pathlib.Path, **kwargs: Any) -> Any:
    """Builds a dataset; returns its builder."""
    builder = tfds.builder(f"atari_replay/{config}", data_dir=str(data_dir), **kwargs)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=epath.Path(manual_dir))
    )
    return builder


def read_gz(path: pathlib.Path) -> Any:
    """The array in a gzipped .npy."""
    with gzip.open(path) as file:
        return np.load(file, allow_pickle=False)


def write_gz(path: pathlib.Path, array: Any, **kwargs: Any) -> None:
    """Writes a gzipped .npy."""
    with gzip.open(path, "wb") as file:
        np.save(file, array, **kwargs)


@pytest.fixture(autouse=True)
def no_source_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs come from where a test says, not from the machine's settings."""
    monkeypatch.delenv(sources.SOURCE_VARIABLE, raising=False)


@pytest.fixture(scope="session")
def expert(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The builder of breakout_expert_v0, built from dummy_data."""
    yield build("breakout_expert_v0", DUMMY_DATA, tmp_path_factory.mktemp("expert"))
