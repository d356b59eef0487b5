"""A checkpoint's rows as arrays, as d4rl-atari returns them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.arguments import check_choice
from tfds_atari_replay.building import downloads
from tfds_atari_replay.configs import Config
from tfds_atari_replay.d4rl_atari.stacked_frames import StackedFrames
from tfds_atari_replay.fields import REWARDS
from tfds_atari_replay.logs import locating
from tfds_atari_replay.logs.files import OpenedCheckpoint
from tfds_atari_replay.scores.scorer import Scorer


def read_dataset(config: Config, *, stack: bool, reward: str = "clipped") -> dict[str, Any]:
    """Reads a checkpoint into memory; see `OfflineAtariEnv.get_dataset`."""
    check_choice("reward", reward, REWARDS)
    (found,) = locating.locate(config, manual_dir=None)
    with downloads.deleting_damaged():
        _, checkpoint = downloads.open_located(
            found, lambda urls: downloads.download(downloads.default_manager(), urls)
        )
        rows = checkpoint.rows()
        rewards = rows.reward if reward == "clipped" else _unclip(rows.reward, checkpoint, config)
    return {
        "observations": (
            StackedFrames(rows.frames, rows.terminal) if stack else rows.frames[:, np.newaxis]
        ),
        "actions": rows.action,
        "rewards": rewards,
        "terminals": rows.terminal,
    }


def _unclip(
    clipped: npt.NDArray[np.float32], checkpoint: OpenedCheckpoint, config: Config
) -> npt.NDArray[np.float32]:
    """Returns the true rewards of a checkpoint's rows, (N,)."""
    scorer = Scorer(config.game)
    unclipped = [np.zeros(0, np.float32)]
    for episode in checkpoint.episodes():
        scored = scorer.watch(
            episode.frames, episode.reward, starts_at_reset=episode.starts_at_reset
        )
        for _ in scored:
            pass
        unclipped.append(scored.rewards.reward[episode.reward != 0])
    # Padding has no rewards, so the rows with a reward are the steps with one, in time order.
    rows = checkpoint.in_time_order(np.arange(len(clipped)))
    rewards = clipped.copy()
    rewards[rows[clipped[rows] != 0]] = np.concatenate(unclipped)
    return rewards
