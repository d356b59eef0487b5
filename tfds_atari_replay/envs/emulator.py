"""One game in the emulator, seen as Dopamine's agents saw it."""

from __future__ import annotations

import pathlib

import ale_py
import ale_py.roms
import cv2
import numpy as np
import numpy.typing as npt

from tfds_atari_replay.games import Game

Screen = npt.NDArray[np.uint8]

FRAME_SIZE = 84
FRAMES_PER_STEP = 4
STICKY_PROBABILITY = 0.25
MAX_STEPS = 27_000
"""Agent steps (108,000 frames) after which the logs' runs cut an episode."""


class Emulator:
    """Plays a game and returns what Dopamine's preprocessing shows an agent.

    A step is four frames with one action; the reward is their sum, not clipped. The observation is
    the maximum of the grey screens of frames 3 and 4, resized to 84x84 with OpenCV's INTER_AREA.
    After a reset the second screen is black. There are no no-op starts, no fire at reset, and
    losing a life ends nothing. Sticky actions repeat the action before with probability 0.25.
    This is the protocol of Machado et al. (2018), with which the logs were recorded.
    """

    def __init__(self, game: Game, *, seed: int, rom: pathlib.Path | None = None):
        """Loads the game.

        Args:
          game: the game to play.
          seed: for the emulator's sticky actions.
          rom: the ROM file, named `<game.rom>.bin`; by default ale-py's own.
        """
        self.game = game
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self._ale = ale_py.ALEInterface()
        # The emulator takes its settings when a ROM is loaded, so they come first.
        self._ale.setInt("random_seed", seed)
        self._ale.setFloat("repeat_action_probability", STICKY_PROBABILITY)
        self._ale.loadROM(str(rom or ale_py.roms.get_rom_path(game.rom)))
        self._actions = self._ale.getMinimalActionSet()
        height, width = self._ale.getScreenDims()
        self._screens = np.zeros((2, height, width), np.uint8)

    @property
    def lives(self) -> int:
        """Lives left; 0 in games without lives."""
        return int(self._ale.lives())

    def reset(self) -> Screen:
        """Starts an episode; returns its first observation, uint8 (84, 84)."""
        self._ale.reset_game()
        self._ale.getScreenGrayscale(self._screens[0])
        self._screens[1] = 0
        return self._observation()

    def step(self, action: int) -> tuple[Screen, float, bool]:
        """Plays one agent step.

        Args:
          action: index into `game.actions`.

        Returns:
          The observation, uint8 (84, 84); the unclipped reward; whether the game is over. The
          observation after the last step of a game is no part of any log, and versions of
          Dopamine differ in it.
        """
        reward = 0.0
        for frame in range(FRAMES_PER_STEP):
            reward += self._ale.act(self._actions[action])
            if frame >= FRAMES_PER_STEP - 2:
                self._ale.getScreenGrayscale(self._screens[frame - (FRAMES_PER_STEP - 2)])
            if self._ale.game_over():
                return self._observation(), reward, True
        return self._observation(), reward, False

    def _observation(self) -> Screen:
        first, second = self._screens
        # Into the first screen, as Dopamine does: a game that ends early shows it again.
        np.maximum(first, second, out=first)
        return np.asarray(
            cv2.resize(first, (FRAME_SIZE, FRAME_SIZE), interpolation=cv2.INTER_AREA), np.uint8
        )
