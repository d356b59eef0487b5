"""Logs with their truth kept beside them, and datasets built from them."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_datasets as tfds
from etils import epath

import tfds_atari_replay
from tfds_atari_replay import layouts, recording, replay_logs

ROOT = pathlib.Path(__file__).resolve().parents[1]
DUMMY_DATA = ROOT / "dummy_data"


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
                episode.frames[step],
                int(episode.action[step]),
                float(episode.reward[step]),
                terminal,
            )
            if logger.num_dumps > dumps:
                held.append(adds[-capacity:])
    dumps = logger.num_dumps
    logger.close()
    if logger.num_dumps > dumps:
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
    found = layouts.find_run(epath.Path(root), tfds_atari_replay.GAMES[game], run)
    return replay_logs.open_checkpoint(found[number])


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


def make_episodes(
    lengths: list[int], black: dict[int, int] | None = None, last_is_cut: bool = False
) -> list[Truth]:
    """Episodes whose frames carry the number of their step, so that a wrong one shows.

    Args:
      lengths: of the episodes.
      black: how many leading frames are black, with action and reward zero, by episode.
      last_is_cut: whether the last episode goes on when the log ends.
    """
    truths, count = [], 0
    for number, length in enumerate(lengths):
        ids = np.arange(count, count + length)
        count += length
        frames = np.full((length, 84, 84), 7, np.uint8)
        frames[:, 0, :4] = ids.astype("<u4")[:, np.newaxis].view(np.uint8)
        action, reward = (ids % 4).astype(np.int32), ((ids % 3) - 1).astype(np.float32)
        # A terminal row is never taken for padding; the black rows before it could be.
        blacks = min((black or {}).get(number, 0), length - 1)
        for array in (frames, action, reward):
            array[:blacks] = 0
        ended = not (last_is_cut and number == len(lengths) - 1)
        truths.append(Truth(frames, action, reward, ends_in_terminal=ended))
    return truths


def log_folder(root: pathlib.Path) -> pathlib.Path:
    """Where write_log writes what `read` reads."""
    return root / "Breakout" / "1" / "replay_logs"


def copy_to_cache(logs: pathlib.Path, run: pathlib.Path, number: int) -> None:
    """Copies a checkpoint as d4rl-atari keeps it: four files under other names."""
    target = run / str(number)
    target.mkdir(parents=True)
    for name in replay_logs.ARRAY_NAMES:
        shutil.copy(logs / f"$store$_{name}_ckpt.{number}.gz", target / f"{name}.gz")


def unplugged_example(checkpoint: int, index: int, episode: Truth, **fields: Any) -> bytes:
    """An episode as a record of RL Unplugged.

    Where it ends, the terminal state is one step more, of which only the frame, all 9, means
    anything; discounts come one step late. `fields` replace others.
    """
    action, reward, frames = list(episode.action), list(episode.reward), list(episode.frames)
    discount = [1.0] * len(action)
    if episode.ends_in_terminal:
        action, reward, discount = [*action, 3], [*reward, 7.0], [*discount, 0.0]
        frames.append(np.full((84, 84), 9, np.uint8))
    values: dict[str, Any] = {
        "checkpoint_idx": [checkpoint],
        "episode_idx": [index],
        "episode_return": [float(sum(episode.reward))],
        "clipped_episode_return": [float(sum(episode.reward))],
        "observations": [tf.io.encode_png(f[..., np.newaxis]).numpy() for f in frames],
        "actions": action,
        "unclipped_rewards": reward,
        "clipped_rewards": reward,
        "discounts": discount,
        **fields,
    }
    kinds = {bytes: ("bytes_list", tf.train.BytesList), float: ("float_list", tf.train.FloatList)}
    features = {}
    for name, column in values.items():
        integers = name in ("checkpoint_idx", "episode_idx", "actions")
        kind = int if integers else bytes if name == "observations" else float
        field, make = kinds.get(kind, ("int64_list", tf.train.Int64List))
        features[name] = tf.train.Feature(**{field: make(value=[kind(v) for v in column])})
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def write_records(path: pathlib.Path, records: list[bytes]) -> None:
    """Writes a GZIP TFRecord, by TensorFlow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions("GZIP")) as writer:
        for record in records:
            writer.write(record)


def write_unplugged(path: pathlib.Path, episodes: list[Truth]) -> None:
    """Writes a checkpoint as RL Unplugged does; its number is that in the name."""
    number = int(path.name.split("-")[1])
    write_records(path, [unplugged_example(number, i, e) for i, e in enumerate(episodes)])


def run_python(code: str) -> str:
    """Runs code in a process of its own; returns what it printed."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


@contextlib.contextmanager
def unprivileged(folder: pathlib.Path) -> Iterator[None]:
    """Whoever runs the tests has no more rights than others, except to get to this folder."""
    for parent in folder.parents:
        if parent.owner() == folder.owner() and parent != pathlib.Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
