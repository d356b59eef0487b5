"""d4rl-atari's environment for gym 0.26, gymnasium's predecessor."""

from __future__ import annotations

from typing import Any

import gym
import numpy as np

from tfds_atari_replay.d4rl_atari import env
from tfds_atari_replay.logs.records import Frames


class OfflineAtariEnv(gym.Env):
    """`env.OfflineAtariEnv` as a gym environment."""

    metadata = env.OfflineAtariEnv.metadata

    def __init__(self, **kwargs: Any):
        self._env = env.OfflineAtariEnv(**kwargs)
        self.render_mode = self._env.render_mode
        space = self._env.observation_space
        self.observation_space = gym.spaces.Box(0, 255, space.shape, space.dtype)
        self.action_space = gym.spaces.Discrete(len(self._env.game.actions))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frames, dict[str, Any]]:
        super().reset(seed=seed)
        return self._env.reset(seed=seed, options=options)

    def step(self, action: np.int64 | int) -> tuple[Frames, float, bool, bool, dict[str, Any]]:
        return self._env.step(action)

    def render(self) -> Frames | None:
        return self._env.render()

    def close(self) -> None:
        self._env.close()

    def get_dataset(self, *, reward: str = "clipped") -> dict[str, Any]:
        """Reads the log; see `OfflineAtariEnv.get_dataset`."""
        return self._env.get_dataset(reward=reward)
