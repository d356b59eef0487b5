"""A checkpoint's rows as arrays, the way d4rl-atari returns them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfds_atari_replay.building import downloads
from tfds_atari_replay.configs import Config
from tfds_atari_replay.d4rl_atari.stacked_frames import StackedFrames
from tfds_atari_replay.logs import locating


def read_dataset(config: Config, *, stack: bool) -> dict[str, Any]:
    """Reads a checkpoint into memory.

    The rows keep the order of the file, which is a ring buffer: time starts at the cursor. The
    three zero rows before each episode are included, and in checkpoint 0 also rows that were never
    written. `tfds.load('atari_replay/...')` gives episodes in order, without these rows. So does
    RL Unplugged's copy, which is read if there is no other: its rows are the steps in order.

    Returns:
      observations: uint8 (N, 1, 84, 84); with `stack`, a `StackedFrames` of N (4, 84, 84).
      actions: int32 (N,).
      rewards: float32 (N,), clipped to [-1, 1].
      terminals: uint8 (N,).

    Raises:
      FileNotFoundError: there are no such logs; the message says where it looked.
      ReplayLogError: a file is damaged.
      OSError: a download failed.
    """
    (found,) = locating.locate(config, manual_dir=None)
    with downloads.deleting_damaged():
        _, checkpoint = downloads.open_located(
            found, lambda urls: downloads.download(downloads.default_manager(), urls)
        )
        rows = checkpoint.rows()
    return {
        "observations": (
            StackedFrames(rows.frames, rows.terminal) if stack else rows.frames[:, np.newaxis]
        ),
        "actions": rows.action,
        "rewards": rows.reward,
        "terminals": rows.terminal,
    }
