"""Synthetic episodes for tests of figures, and a decoder of animations."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageSequence

from tfds_atari_replay import figures

Array = npt.NDArray[Any]


def make_episode(length: int, rewards: Mapping[int, float]) -> figures.Episode:
    """An episode of noise in four shades, with some rewards by step."""
    rng = np.random.default_rng(0)
    reward = np.zeros(length, np.float32)
    reward[list(rewards)] = list(rewards.values())
    return figures.Episode(
        episode_id=3,
        checkpoint_id=1,
        length=length,
        episode_return=float(reward.sum()),
        is_complete=True,
        dataset="atari_replay/pong_mixed_v0/1.0.0",
        frames=rng.integers(0, 4, (length, 84, 84), np.uint8) * np.uint8(80),
        action=np.arange(length) % 2,
        reward=reward,
        unclipped_return=np.nan,
        unclipped_reward=np.full(length, np.nan, np.float32),
        action_meanings=("NOOP", "FIRE"),
    )


def unpack_animation(webp: bytes) -> Array:
    """The pictures of an animation, uint8 (N, height, width, 3)."""
    picture = PIL.Image.open(io.BytesIO(webp))
    return np.stack([np.asarray(one.convert("RGB")) for one in PIL.ImageSequence.Iterator(picture)])
