"""Dopamine's preprocessing without gym, which all emulators share."""

from __future__ import annotations

import abc
import pathlib
from typing import Any, ClassVar, Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tfds_atari_replay.envs.protocol import FRAMES_PER_STEP, STICKY_PROBABILITY, Integers
from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames

Steps: TypeAlias = tuple[Frames, npt.NDArray[np.float64], npt.NDArray[np.bool_]]
"""One step of several games: frames, unclipped rewards, and which games are over now."""


class Emulator(abc.ABC):
    """Plays a game and returns what Dopamine's preprocessing shows an agent.

    A step is four frames with one action; its reward is their unclipped sum. The observation is the
    maximum of the grey screens of frames 3 and 4, resized to 84x84 with OpenCV's INTER_AREA. After
    a reset the second screen is black. There are no no-op starts and no fire at reset, and losing a
    life does not end the episode. Each frame repeats the previous action with probability 0.25.
    This is the protocol of Machado et al. (2018), with which the logs were recorded.
    """

    render_modes: ClassVar[tuple[str, ...]] = ("rgb_array", "human")
    """The supported render modes."""

    def __init__(
        self,
        game: Game,
        *,
        seed: int,
        rom: pathlib.Path,
        sticky_probability: float = STICKY_PROBABILITY,
        display: bool = False,
    ):
        """Loads the game.

        Args:
          game: the game to play, with its own actions or with all 18.
          seed: of the emulator's random numbers: sticky actions, and in atari_py also the first
            state of some games; 0 to 2**31 - 1.
          rom: the ROM file, named `<game.rom>.bin`.
          sticky_probability: the probability that a frame repeats the previous action.
          display: open a window that shows the game.
        """
        self.game = game
        self._ale = self._make_interface()
        # Settings take effect when a ROM is loaded, so they come first.
        self._ale.setInt("random_seed", self._to_random_seed(seed))
        self._ale.setFloat("repeat_action_probability", sticky_probability)
        if display:
            self._ale.setBool("display_screen", True)
        self._ale.loadROM(str(rom))
        every_action = self._ale.getLegalActionSet()
        self._actions = [every_action[index] for index in game.full_actions]
        height, width = self._ale.getScreenGrayscale().shape[:2]
        self._screens = np.zeros((2, height, width), np.uint8)

    @classmethod
    @abc.abstractmethod
    def check(cls) -> None:
        """Checks that the emulator is installed.

        Raises:
          ImportError: it is not installed.
        """

    @classmethod
    @abc.abstractmethod
    def play_several(
        cls, game: Game, num_envs: int, *, rom: pathlib.Path, sticky_probability: float
    ) -> Games:
        """Makes `num_envs` copies of a game, to be played at the same time."""

    @abc.abstractmethod
    def _make_interface(self) -> Any:
        """Makes the emulator's ALEInterface."""

    def _to_random_seed(self, seed: int) -> int:
        """Returns the emulator's setting for a seed."""
        return seed

    @abc.abstractmethod
    def screen(self) -> Frames:
        """Returns the screen in colour, uint8 (height, width, 3)."""

    @property
    def ale(self) -> Any:
        """The emulator's own interface, which some wrappers use."""
        return self._ale

    @property
    def lives(self) -> int:
        """Lives left; 0 in games without lives."""
        return int(self._ale.lives())

    def frame_numbers(self) -> dict[str, int]:
        """Returns the number of frames since the ROM was loaded, and since the last reset."""
        return {
            "frame_number": int(self._ale.getFrameNumber()),
            "episode_frame_number": int(self._ale.getEpisodeFrameNumber()),
        }

    def reset(self) -> Frames:
        """Starts an episode; returns its first observation, uint8 (84, 84)."""
        self._ale.reset_game()
        self._ale.getScreenGrayscale(self._screens[0])
        self._screens[1] = 0
        return self._observation()

    def step(self, action: int) -> tuple[Frames, float, bool]:
        """Plays one agent step.

        Args:
          action: index into `game.actions`.

        Returns:
          The observation, uint8 (84, 84); the unclipped reward; whether the game is over. No log
          has the observation after a game's last step, and versions of Dopamine differ in it.
        """
        reward = 0.0
        for frame in range(FRAMES_PER_STEP):
            reward += self._ale.act(self._actions[action])
            if frame >= FRAMES_PER_STEP - 2:
                self._ale.getScreenGrayscale(self._screens[frame - (FRAMES_PER_STEP - 2)])
            if self._ale.game_over():
                return self._observation(), reward, True
        return self._observation(), reward, False

    def _observation(self) -> Frames:
        first, second = self._screens
        # In place, as in Dopamine: a game that ends within a step shows the first screen again.
        np.maximum(first, second, out=first)
        return np.asarray(
            cv2.resize(first, FRAME_SHAPE[::-1], interpolation=cv2.INTER_AREA), np.uint8
        )


class Games(Protocol):
    """Copies of one game; each reset seeds the copy."""

    def reset(self, chosen: Integers, seeds: Integers) -> Frames:
        """Resets some of the games.

        Args:
          chosen: their indices, (n,).
          seeds: of their emulators, 0 to 2**31 - 1, (n,).

        Returns:
          Their first frames, uint8 (n, 84, 84).
        """

    def step(self, actions: Integers) -> Steps:
        """Plays a step in every game. A finished game's frames are undefined until its reset.

        Args:
          actions: one for each game, (num_envs,).

        Returns:
          Frames, uint8 (num_envs, 84, 84); unclipped rewards, float64 (num_envs,); which games are
          over now, bool (num_envs,).
        """
