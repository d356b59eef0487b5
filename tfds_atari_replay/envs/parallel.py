"""Several games at a time."""

from __future__ import annotations

import concurrent.futures
import os
import pathlib

import ale_py
import numpy as np
import numpy.typing as npt

from tfds_atari_replay import games
from tfds_atari_replay.envs import emulator as emulator_lib

Frames = npt.NDArray[np.uint8]


class Games:
    """Games played in threads; game i is seeded with seed + i.

    atari_py lets go of Python's lock while it plays. ale_py does not: `ParallelGames`.
    """

    def __init__(
        self,
        game: games.Game,
        num_envs: int,
        seed: int,
        *,
        rom: pathlib.Path,
        sticky_probability: float,
        emulator: str,
    ):
        self.game = game
        self._emulators = [
            emulator_lib.Emulator(
                game,
                seed=(seed + number) % 2**31,
                rom=rom,
                sticky_probability=sticky_probability,
                emulator=emulator,
            )
            for number in range(num_envs)
        ]
        self._frames = np.zeros((num_envs, 84, 84), np.uint8)
        self._is_over = np.zeros(num_envs, np.bool_)
        self._threads = concurrent.futures.ThreadPoolExecutor(os.cpu_count())

    def reset(self, mask: npt.NDArray[np.bool_]) -> Frames:
        """Resets some; gives the frames of all."""
        for number in np.flatnonzero(mask):
            self._frames[number] = self._emulators[number].reset()
            self._is_over[number] = False
        return self._frames.copy()

    def step(
        self, actions: npt.NDArray[np.int64]
    ) -> tuple[Frames, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Plays a step in each game, but resets those that the last step ended.

        Returns:
          All frames; rewards, not clipped, 0 after a reset; which games are over.
        """
        steps = list(self._threads.map(self._step, range(len(actions)), actions))
        frames, rewards, is_over = zip(*steps, strict=True)
        self._frames = np.stack(frames)
        self._is_over = np.array(is_over)
        return self._frames.copy(), np.array(rewards), self._is_over.copy()

    def _step(self, number: int, action: np.int64) -> tuple[Frames, float, bool]:
        if self._is_over[number]:
            return self._emulators[number].reset(), 0.0, False
        return self._emulators[number].step(int(action))


class ParallelGames(Games):
    """The same, bit for bit, with ale-py's vector environment."""

    def __init__(
        self,
        game: games.Game,
        num_envs: int,
        seed: int,
        *,
        rom: pathlib.Path,
        sticky_probability: float,
        emulator: str,
    ):
        assert emulator == "ale_py"
        self.game = game
        self._seeds = (seed + np.arange(num_envs)) % 2**31
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale = ale_py.ALEVectorInterface(
            rom_path=rom,
            num_envs=num_envs,
            frame_skip=emulator_lib.FRAMES_PER_STEP,
            stack_num=1,
            img_height=emulator_lib.FRAME_SIZE,
            img_width=emulator_lib.FRAME_SIZE,
            grayscale=True,
            maxpool=True,
            noop_max=0,
            use_fire_reset=False,
            episodic_life=False,
            life_loss_info=False,
            reward_clipping=False,
            # It counts frames, or steps, by version; we count ourselves.
            max_episode_steps=2**31 - 1,
            repeat_action_probability=sticky_probability,
            full_action_space=False,
            batch_size=0,
            num_threads=0,
            thread_affinity_offset=-1,
            autoreset_mode="NextStep",
        )
        self._is_started = False

    def reset(self, mask: npt.NDArray[np.bool_]) -> Frames:
        chosen = np.flatnonzero(mask)
        # -1 goes on with the random numbers of the game before.
        seeds = np.full(len(chosen), -1) if self._is_started else self._seeds
        self._is_started = True
        frames, _ = self._ale.reset(chosen, seeds)
        return np.asarray(frames)[:, -1]

    def step(
        self, actions: npt.NDArray[np.int64]
    ) -> tuple[Frames, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        self._ale.send(actions, np.ones(len(actions), np.float32))
        frames, rewards, is_terminal, _, _ = self._ale.recv()
        return np.asarray(frames)[:, -1], np.asarray(rewards, np.float64), np.array(is_terminal)
