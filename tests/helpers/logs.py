"""Logs of which the truth is known."""

from __future__ import annotations

import dataclasses
import gzip
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from etils import epath

from tfds_atari_replay import GAMES
from tfds_atari_replay.logs import layouts
from tfds_atari_replay.logs.checkpoint import ARRAY_NAMES, Checkpoint, open_checkpoint
from tfds_atari_replay.logs.files import CheckpointFiles
from tfds_atari_replay.logs.writer import ReplayLogger


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


Adds = list[tuple[int, int]]
"""Per row that was added: episode, step; step is -1 in padding."""


def write_log(folder: pathlib.Path, capacity: int, episodes: list[Truth]) -> list[list[Truth]]:
    """Logs episodes one after the other; returns what each checkpoint holds of them."""
    adds, counts = log(folder, capacity, episodes)
    return [_pieces(adds[max(0, count - capacity) : count], episodes) for count in counts]


def write_run(
    folder: pathlib.Path, capacity: int, episodes: list[Truth], kept: Callable[[int], bool]
) -> list[list[Truth]]:
    """Logs episodes and keeps some of the dumps.

    Returns:
      What is held of the episodes by all that is kept, without what is held twice, in lists between
      which rows are lost.
    """
    adds, counts = log(folder, capacity, episodes)
    held: list[list[int]] = []
    for number, count in enumerate(counts):
        if not kept(number):
            for path in folder.glob(f"*_ckpt.{number}.gz"):
                path.unlink()
            continue
        start = max(0, count - capacity)
        if held and start <= held[-1][1]:
            held[-1][1] = count
        else:
            held.append([start, count])
    return [_pieces(adds[start:stop], episodes) for start, stop in held]


def log(folder: pathlib.Path, capacity: int, episodes: list[Truth]) -> tuple[Adds, list[int]]:
    """Logs episodes one after the other.

    The truth does not come from walking rings: a checkpoint dumped after n adds holds the adds from
    n - capacity to n.

    Returns:
      The rows, and after how many of them each checkpoint was dumped.
    """
    logger = ReplayLogger(folder, capacity)
    adds: Adds = []
    counts = []
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
                counts.append(len(adds))
    dumps = logger.num_dumps
    logger.close()
    if logger.num_dumps > dumps:
        counts.append(len(adds))
    return adds, counts


def _pieces(adds: Adds, episodes: list[Truth]) -> list[Truth]:
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


def find_checkpoint(root: pathlib.Path, game: str, run: int, number: int) -> CheckpointFiles:
    """Finds a checkpoint under a folder, in any layout."""
    found = layouts.find_run(epath.Path(root), GAMES[game], run)
    return {files.number: files for files in found}[number]


def open_log(root: pathlib.Path, game: str, run: int, number: int) -> Checkpoint:
    """Opens a checkpoint of the logs under a folder."""
    return open_checkpoint(find_checkpoint(root, game, run, number))


def log_folder(root: pathlib.Path) -> pathlib.Path:
    """Where write_log writes what `read` reads."""
    return root / "Breakout" / "1" / "replay_logs"


def read_gz(path: pathlib.Path) -> Any:
    """The array in a gzipped .npy."""
    with gzip.open(path) as file:
        return np.load(file, allow_pickle=False)


def write_gz(path: pathlib.Path, array: Any, **kwargs: Any) -> None:
    """Writes a gzipped .npy."""
    with gzip.open(path, "wb") as file:
        np.save(file, array, **kwargs)


def copy_to_cache(logs: pathlib.Path, run: pathlib.Path, number: int) -> None:
    """Copies a checkpoint as d4rl-atari keeps it: four files under other names."""
    target = run / str(number)
    target.mkdir(parents=True)
    for name in ARRAY_NAMES:
        shutil.copy(logs / f"$store$_{name}_ckpt.{number}.gz", target / f"{name}.gz")
