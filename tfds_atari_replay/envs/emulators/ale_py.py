"""ale-py, the emulator of gymnasium."""

from __future__ import annotations

import pathlib
from typing import Any

import ale_py
import numpy as np
import numpy.typing as npt

from tfds_atari_replay.envs.emulators.emulator import Emulator, Games
from tfds_atari_replay.envs.protocol import FRAMES_PER_STEP, Integers
from tfds_atari_replay.games import ALL_ACTIONS, Game
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames


class AlePy(Emulator):
    """One game in ale-py."""

    @classmethod
    def check(cls) -> None:
        """Does nothing: it is installed, since this module could be imported."""

    @classmethod
    def play_several(
        cls, game: Game, num_envs: int, *, rom: pathlib.Path, sticky_probability: float
    ) -> Games:
        """Makes copies of a game in ale-py's vector environment."""
        return VectorGames(game, num_envs, rom, sticky_probability)

    def _make_interface(self) -> Any:
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        return ale_py.ALEInterface()

    def _to_random_seed(self, seed: int) -> int:
        return seed

    def _screen_shape(self) -> tuple[int, int]:
        height, width = self._ale.getScreenDims()
        return height, width

    def screen(self) -> Frames:
        """Returns the screen in colour, uint8 (height, width, 3)."""
        return np.asarray(self._ale.getScreenRGB())


class VectorGames:
    """ale-py's vector environment, set to play exactly as `AlePy` does."""

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
            # Versions of ale-py count frames here, or steps. `evaluate` counts for itself.
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

    def step(
        self, actions: Integers
    ) -> tuple[Frames, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        self._ale.send(actions, np.ones(len(actions), np.float32))
        frames, rewards, is_terminal, _, _ = self._ale.recv()
        return np.asarray(frames)[:, -1], np.asarray(rewards, np.float64), np.array(is_terminal)


EMULATOR = AlePy
