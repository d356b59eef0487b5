"""atari-py, the emulator that recorded the logs."""

from __future__ import annotations

import concurrent.futures
import importlib
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.envs.emulators.emulator import Emulator, Games
from tfds_atari_replay.envs.protocol import Integers
from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.records import Frames
from tfds_atari_replay.threads import NUM_THREADS


class AtariPy(Emulator):
    """One game in atari-py, which cannot open a window."""

    render_modes = ("rgb_array",)

    @classmethod
    def check(cls) -> None:
        """Checks that it is installed.

        Raises:
          ImportError: it is not.
        """
        try:
            importlib.import_module("atari_py")
        except ImportError as error:
            raise ImportError(
                "emulator='atari_py' needs atari-py: pip install atari-py==0.2.5 (which builds it "
                "with cmake and a C++ compiler; docs/environments.md, 'ROMs', has a way without)."
            ) from error

    @classmethod
    def play_several(
        cls, game: Game, num_envs: int, *, rom: pathlib.Path, sticky_probability: float
    ) -> Games:
        """Makes copies of a game that play in threads."""
        return ThreadedGames(
            lambda seed: cls(game, seed=seed, rom=rom, sticky_probability=sticky_probability),
            num_envs,
        )

    def _make_interface(self) -> Any:
        return importlib.import_module("atari_py").ALEInterface()

    def _to_random_seed(self, seed: int) -> int:
        return seed or 2**31 - 1  # to atari_py, 0 means the time of day

    def _screen_shape(self) -> tuple[int, int]:
        width, height = self._ale.getScreenDims()
        return height, width

    def screen(self) -> Frames:
        """Returns the screen in colour, uint8 (height, width, 3)."""
        return np.asarray(self._ale.getScreenRGB2())


class ThreadedGames:
    """Emulators in threads: atari_py releases the GIL while it plays."""

    def __init__(self, make: Callable[[int], Emulator], num_envs: int):
        self._make = make  # from a seed, which an emulator takes when it loads the ROM
        self._emulators: list[Emulator | None] = [None] * num_envs
        self._threads = concurrent.futures.ThreadPoolExecutor(NUM_THREADS)

    def reset(self, chosen: Integers, seeds: Integers) -> Frames:
        # One after the other: atari_py crashes if two ROMs are loaded at the same time.
        return np.stack([self._reset(*pair) for pair in zip(chosen, seeds, strict=True)])

    def step(
        self, actions: Integers
    ) -> tuple[Frames, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        steps = self._threads.map(self._step, range(len(actions)), actions.tolist())
        frames, rewards, is_over = zip(*steps, strict=True)
        return np.stack(frames), np.array(rewards), np.array(is_over)

    def _reset(self, index: np.int64, seed: np.int64) -> Frames:
        made = self._emulators[index] = self._make(int(seed))
        return made.reset()

    def _step(self, index: int, action: int) -> tuple[Frames, float, bool]:
        emulator = self._emulators[index]
        assert emulator
        return emulator.step(action)


EMULATOR = AtariPy
