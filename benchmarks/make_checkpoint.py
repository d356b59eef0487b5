"""Makes checkpoints as large as the public ones, by repeating recorded play.

  python benchmarks/make_checkpoint.py LOGS [--rows 1000000] [--checkpoints 1]

The rows of dummy_data's Breakout run 1, from its first reset to its last terminal, are repeated
and written to LOGS/Breakout/1/replay_logs as checkpoints 1, 2, ..., each going on where the one
before it ended, as Dopamine writes them: gzip -9, the cursor in the last row. gzip looks back 32
KB, five frames, so that repeated play packs as new play.
"""

from __future__ import annotations

import argparse
import gzip
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tqdm
from etils import epath

from tfds_atari_replay import GAMES
from tfds_atari_replay.logs import layouts
from tfds_atari_replay.logs.checkpoint import ARRAY_NAMES
from tfds_atari_replay.logs.episodes import PADDING_ROWS

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_AT_ONCE = 4096


def recorded_play() -> dict[str, npt.NDArray[np.generic]]:
    """Whole episodes of dummy_data with their padding, as the arrays of a log."""
    parts: dict[str, list[npt.NDArray[np.generic]]] = {name: [] for name in ARRAY_NAMES}
    pad = (PADDING_ROWS, 0)
    run = layouts.find_run(epath.Path(_ROOT / "dummy_data"), GAMES["Breakout"], 1)
    for files in run:
        for episode in files.open().episodes():
            if episode.is_complete:
                frames = np.concatenate(list(episode.frames))
                terminal = np.zeros(len(frames), np.uint8)
                terminal[-1] = 1
                parts["observation"].append(np.pad(frames, (pad, (0, 0), (0, 0))))
                parts["action"].append(np.pad(episode.action, pad))
                parts["reward"].append(np.pad(episode.reward, pad))
                parts["terminal"].append(np.pad(terminal, pad))
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def make_checkpoint(folder: pathlib.Path, rows: int, number: int = 1) -> None:
    """Writes the files of one; `folder` is the run's `replay_logs`."""
    play = recorded_play()
    write_checkpoint(
        folder, rows, number, lambda name, times: play[name][times % len(play[name])], gzip.open
    )


def write_checkpoint(
    folder: pathlib.Path,
    rows: int,
    number: int,
    rows_at: Callable[[str, npt.NDArray[np.int64]], npt.NDArray[Any]],
    open_file: Callable[..., Any],
) -> None:
    """Writes the files of a checkpoint, at the end of a lap.

    Args:
      folder: the run's `replay_logs`.
      rows: in the ring.
      number: of the checkpoint, at least 1.
      rows_at: gives the rows of an array at some times.
      open_file: opens a gzip file, as gzip.open does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # The oldest row lies last: row r of checkpoint 1 holds the play at time r + 1.
    times = (number - 1) * rows + (np.arange(rows) + 1) % rows
    for name in ARRAY_NAMES:
        some = rows_at(name, times[:1])
        header = {
            "descr": np.lib.format.dtype_to_descr(some.dtype),
            "fortran_order": False,
            "shape": (rows, *some.shape[1:]),
        }
        with open_file(folder / f"$store$_{name}_ckpt.{number}.gz", "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for start in tqdm.trange(0, rows, _AT_ONCE, desc=f"Writing {name}"):
                file.write(rows_at(name, times[start : start + _AT_ONCE]).tobytes())
    with open_file(folder / f"add_count_ckpt.{number}.gz", "wb") as file:
        np.save(file, np.array((number + 1) * rows - 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--checkpoints", type=int, default=1)
    args = parser.parse_args()
    for checkpoint in range(1, args.checkpoints + 1):
        make_checkpoint(args.logs / "Breakout" / "1" / "replay_logs", args.rows, checkpoint)
