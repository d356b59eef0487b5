"""ale-py, the emulator of gymnasium."""

from __future__ import annotations

import pathlib
from typing import Any

import ale_py
import numpy as np

from tfds_atari_replay.envs.emulators.emulator import Emulator, Games, Steps
from tfds_atari_replay.envs.protocol import FRAMES_PER_STEP, Integers
from tfds_atari_replay.games import ALL_ACTIONS, Game
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames


class AlePy(Emulator):
    """One game in ale-py."""

    @classmethod
    def check(cls) -> None:
        """Does nothing: this module could not have been imported without ale-py."""

    @classmethod
    def play_several(
        cls, game: Game, num_envs: int, *, rom: pathlib.Path, sticky_probability: float
    ) -> Games:
        """Makes copies of a game in ale-py's vector environment."""
        return VectorGames(game, num_envs, rom, sticky_probability)

    def _make_interface(self) -> Any:
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        return ale_py.ALEInterface()

    def screen(self) -> Frames:
        return np.asarray(self._ale.getScreenRGB())


class VectorGames:
    """ale-py's vector environment, with settings that make it play exactly as `AlePy` does."""

    def __init__(self, game: Game, num_envs: int, rom: pathlib.Path, sticky_probability: float):
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale = ale_py.ALEVectorInterface(
            rom_path=rom,
            num_envs=num_envs,
            frame_skip=FRAMES_PER_STEP,
            stack_num=1,
            img_height=FRAME_SHAPE[0],
            img_width=FRAME_SHAPE[1],
            grayscale=True,
            maxpool=True,
            noop_max=0,
            use_fire_reset=False,
            episodic_life=False,
            life_loss_info=False,
            reward_clipping=False,
            # Frames or steps, depending on ale-py's version. `evaluate` counts for itself.
            max_episode_steps=2**31 - 1,
            repeat_action_probability=sticky_probability,
            full_action_space=game.actions == ALL_ACTIONS,
            batch_size=0,
            num_threads=0,
            thread_affinity_offset=-1,
            autoreset_mode="NextStep",
        )

    def reset(self, chosen: Integers, seeds: Integers) -> Frames:
        frames, _ = self._ale.reset(chosen, seeds)
        first: Frames = np.asarray(frames)[chosen, -1]
        return first

    def step(self, actions: Integers) -> Steps:
        self._ale.send(actions, np.ones(len(actions), np.float32))
        frames, rewards, is_terminal, _, _ = self._ale.recv()
        return np.asarray(frames)[:, -1], np.asarray(rewards, np.float64), np.array(is_terminal)


EMULATOR = AlePy
