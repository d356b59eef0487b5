"""Several games at a time."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
from typing import Protocol

import ale_py
import numpy as np
import numpy.typing as npt

from tfds_atari_replay.envs.emulator import Emulator
from tfds_atari_replay.envs.protocol import FRAMES_PER_STEP, Integers
from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames


class Games(Protocol):
    """Copies of one game, each seeded whenever it is reset."""

    def reset(self, chosen: Integers, seeds: Integers) -> Frames:
        """Starts some of the games anew.

        Args:
          chosen: which ones, (n,).
          seeds: for their emulators, 0 to 2**31 - 1, (n,).

        Returns:
          Their first frames, uint8 (n, 84, 84).
        """

    def step(
        self, actions: Integers
    ) -> tuple[Frames, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Plays a step in every game. A finished game's frames are undefined until its reset.

        Returns:
          Frames, uint8 (num_envs, 84, 84); unclipped rewards; which games are over now.
        """


def make_games(
    game: Game, num_envs: int, *, rom: pathlib.Path, sticky_probability: float, emulator: str
) -> Games:
    """Makes copies of a game in 'ale_py' or 'atari_py'; for the others see `Emulator`."""
    if emulator == "ale_py":
        return VectorGames(num_envs, rom, sticky_probability)
    return ThreadedGames(game, num_envs, rom, sticky_probability, emulator)


class ThreadedGames:
    """Emulators in threads. atari_py releases the GIL while it plays; ale_py does not."""

    def __init__(
        self,
        game: Game,
        num_envs: int,
        rom: pathlib.Path,
        sticky_probability: float,
        emulator: str,
    ):
        self._arguments = (game, rom, sticky_probability, emulator)
        self._emulators: list[Emulator | None] = [None] * num_envs
        self._threads = concurrent.futures.ThreadPoolExecutor(os.cpu_count())

    def reset(self, chosen: Integers, seeds: Integers) -> Frames:
        # One after the other: atari_py crashes if two ROMs are loaded at the same time.
        return np.stack([self._reset(*pair) for pair in zip(chosen, seeds, strict=True)])

    def step(
        self, actions: Integers
    ) -> tuple[Frames, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        steps = self._threads.map(self._step, range(len(actions)), actions.tolist())
        frames, rewards, is_over = zip(*steps, strict=True)
        return np.stack(frames), np.array(rewards), np.array(is_over)

    def _reset(self, number: np.int64, seed: np.int64) -> Frames:
        game, rom, sticky_probability, emulator = self._arguments
        # An emulator takes its seed when it loads the ROM.
        made = self._emulators[number] = Emulator(
            game, seed=int(seed), rom=rom, sticky_probability=sticky_probability, emulator=emulator
        )
        return made.reset()

    def _step(self, number: int, action: int) -> tuple[Frames, float, bool]:
        emulator = self._emulators[number]
        assert emulator
        return emulator.step(action)


class VectorGames:
    """ale-py's vector environment, set to play exactly as `Emulator` does."""

    def __init__(self, num_envs: int, rom: pathlib.Path, sticky_probability: float):
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
            full_action_space=False,
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
