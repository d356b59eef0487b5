"""The games as gymnasium environments, as the logs' agents saw them."""

from __future__ import annotations

import functools
from typing import Any

import gymnasium
import numpy as np

from tfds_atari_replay import games
from tfds_atari_replay.arguments import check_choice
from tfds_atari_replay.envs import roms as roms_lib
from tfds_atari_replay.envs.emulators import Emulator, find_emulator
from tfds_atari_replay.envs.protocol import MAX_STEPS, STACK_SIZE, STICKY_PROBABILITY
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames
from tfds_atari_replay.windows.stacking import LiveStacks, Stacking


class AtariEnv(gymnasium.Env[Frames, np.int64]):
    """One game; `make_env` makes it and describes its arguments."""

    metadata = {"render_modes": ["rgb_array", "human"], "render_fps": 15}  # noqa: RUF012

    def __init__(
        self,
        game: str,
        *,
        stack: bool,
        sticky_actions: bool,
        terminal_on_life_loss: bool,
        clip_rewards: bool,
        full_action_space: bool,
        roms: str,
        emulator: str,
        render_mode: str | None,
    ):
        self.game = games.find_game(game).with_actions(full_action_space=full_action_space)
        emulator_class = find_emulator(emulator)
        check_choice("render_mode", render_mode, (None, *emulator_class.render_modes))
        self.metadata = {**self.metadata, "render_modes": [*emulator_class.render_modes]}
        self.render_mode = render_mode
        rom = roms_lib.find_rom(self.game, roms)
        self._make_emulator = functools.partial(
            emulator_class,
            self.game,
            rom=rom,
            sticky_probability=STICKY_PROBABILITY if sticky_actions else 0.0,
            display=render_mode == "human",
        )
        self._terminal_on_life_loss = terminal_on_life_loss
        self._clip_rewards = clip_rewards
        stacking = Stacking(STACK_SIZE)
        self._stack = LiveStacks(1, stacking, FRAME_SHAPE) if stack else None
        shape = stacking.shape(FRAME_SHAPE) if stack else FRAME_SHAPE
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(self.game.actions))
        self._emulator: Emulator | None = None
        self._steps: int | None = None  # None until the next reset
        self._lives = 0
        self._is_closed = False

    @property
    def ale(self) -> Any:
        """The emulator's own interface, once `reset` was called; wrappers call its `lives()`."""
        if self._emulator is None:
            raise gymnasium.error.ResetNeeded("Call reset() first: the game is not loaded yet.")
        return self._emulator.ale

    def get_action_meanings(self) -> list[str]:
        """Returns the names of the actions, in the order of `action_space`."""
        return list(self.game.actions)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frames, dict[str, Any]]:
        super().reset(seed=seed, options=options)
        self._check_open()
        if seed is None and self._emulator is None:
            seed = int(self.np_random.integers(2**31))
        if seed is not None:
            # An emulator takes its seed when it loads the ROM.
            self._emulator = self._make_emulator(seed=seed % 2**31)
        assert self._emulator
        frame = self._emulator.reset()
        if self._stack:
            self._stack.start(0, frame)
        self._steps = 0
        self._lives = self._emulator.lives
        return self._observation(frame), self._info(0.0)

    def step(self, action: np.int64 | int) -> tuple[Frames, float, bool, bool, dict[str, Any]]:
        self._check_open()
        if self._steps is None or self._emulator is None:
            raise gymnasium.error.ResetNeeded(
                "Call reset() first: the environment is new, or its episode is over."
            )
        if not self.action_space.contains(action):
            raise gymnasium.error.InvalidAction(
                f"action must be an integer, 0 to {len(self.game.actions) - 1} (got {action!r})"
            )
        frame, reward, game_over = self._emulator.step(int(action))
        if self._stack:
            self._stack.push(frame[np.newaxis])
        self._steps += 1
        terminated = game_over
        lives, self._lives = self._lives, self._emulator.lives
        if self._terminal_on_life_loss and self._lives < lives:
            terminated = True
        truncated = not terminated and self._steps >= MAX_STEPS
        if terminated or truncated:
            self._steps = None
        info = self._info(reward)
        if self._clip_rewards:
            reward = min(max(reward, -1.0), 1.0)
        return self._observation(frame), reward, terminated, truncated, info

    def render(self) -> Frames | None:
        """Returns the screen in colour, uint8 (height, width, 3); None with a window."""
        self._check_open()
        if self.render_mode is None:
            raise gymnasium.error.Error(
                "To render, make the environment with render_mode='rgb_array'."
            )
        if self._emulator is None:
            raise gymnasium.error.ResetNeeded("Call reset() before render().")
        return self._emulator.screen() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        self._is_closed = True
        self._emulator = None

    def _observation(self, frame: Frames) -> Frames:
        return self._stack.stacks[0].copy() if self._stack else frame

    def _info(self, reward: float) -> dict[str, Any]:
        assert self._emulator
        return {
            "lives": self._lives,
            "unclipped_reward": reward,
            **self._emulator.frame_numbers(),
        }

    def _check_open(self) -> None:
        if self._is_closed:
            raise gymnasium.error.ClosedEnvironmentError("This environment was closed.")
