"""atari-py, the emulator that recorded the logs."""

from __future__ import annotations

import concurrent.futures
import importlib
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tfds_atari_replay.envs.emulators.emulator import Emulator, Games, Steps
from tfds_atari_replay.envs.protocol import Integers
from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.records import Frames
from tfds_atari_replay.threads import NUM_THREADS


class AtariPy(Emulator):
    """One game in atari-py; it cannot open a window."""

    render_modes = ("rgb_array",)

    @classmethod
    def check(cls) -> None:
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

    def screen(self) -> Frames:
        return np.asarray(self._ale.getScreenRGB2())


class ThreadedGames:
    """Emulators in threads; atari_py releases the GIL while it plays."""

    def __init__(self, make: Callable[[int], Emulator], num_envs: int):
        self._make = make  # from a seed, which an emulator takes when it loads the ROM
        self._indices = range(num_envs)
        self._emulators: dict[int, Emulator] = {}
        self._threads = concurrent.futures.ThreadPoolExecutor(NUM_THREADS)

    def reset(self, chosen: Integers, seeds: Integers) -> Frames:
        # One after the other: atari_py crashes if two ROMs are loaded at the same time.
        for index, seed in zip(chosen.tolist(), seeds.tolist(), strict=True):
            self._emulators[index] = self._make(seed)
        return np.stack([self._emulators[index].reset() for index in chosen.tolist()])

    def step(self, actions: Integers) -> Steps:
        emulators = [self._emulators[index] for index in self._indices]
        steps = self._threads.map(Emulator.step, emulators, actions.tolist())
        frames, rewards, is_over = zip(*steps, strict=True)
        return np.stack(frames), np.array(rewards), np.array(is_over)


EMULATOR = AtariPy
