"""The Atari emulator as the logs' agents saw it: Dopamine's preprocessing, without gym."""

from __future__ import annotations

import importlib
import pathlib
from typing import Any, TypeAlias

import ale_py
import ale_py.roms
import cv2
import numpy as np
import numpy.typing as npt

from tfds_atari_replay.games import Game

Screen: TypeAlias = npt.NDArray[np.uint8]

STICKY_PROBABILITY = 0.25
FRAMES_PER_STEP = 4
FRAME_SIZE = 84
MAX_STEPS = 27_000
"""Agent steps (108,000 frames) after which the logs' runs cut an episode."""

EMULATORS = ("ale_py", "atari_py")


class Emulator:
    """Plays a game and returns what Dopamine's preprocessing shows an agent.

    A step is four frames with one action; the reward is their sum, not clipped. The observation is
    the maximum of the grey screens of frames 3 and 4, resized to 84x84 with OpenCV's INTER_AREA.
    After a reset the second screen is black. There are no no-op starts, no fire at reset, and
    losing a life ends nothing. Sticky actions repeat the action before with probability 0.25.
    This is the protocol of Machado et al. (2018), with which the logs were recorded.
    """

    def __init__(
        self,
        game: Game,
        *,
        seed: int,
        rom: pathlib.Path | None = None,
        sticky_probability: float = STICKY_PROBABILITY,
        emulator: str = "ale_py",
        display: bool = False,
    ):
        """Loads the game.

        Args:
          game: the game to play.
          seed: for the emulator's random numbers: sticky actions, and in atari_py some games' first
            state.
          rom: the ROM file, named `<game.rom>.bin`; by default ale-py's own.
          sticky_probability: of repeating the action before, in each frame.
          emulator: 'ale_py', or 'atari_py', the one that recorded the logs.
          display: whether the emulator opens a window and shows the game.
        """
        self.game = game
        self._arguments = {
            "seed": seed,
            "rom": rom,
            "sticky_probability": sticky_probability,
            "emulator": emulator,
            "display": display,
        }
        path = str(rom or ale_py.roms.get_rom_path(game.rom))
        if emulator == "ale_py":
            ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
            self._ale: Any = ale_py.ALEInterface()
        else:
            self._ale = importlib.import_module("atari_py").ALEInterface()
        self._is_atari_py = emulator == "atari_py"
        # The emulator takes its settings when a ROM is loaded, so they come first. To atari_py, 0
        # means the time of day.
        self._ale.setInt("random_seed", seed or (2**31 - 1 if self._is_atari_py else 0))
        self._ale.setFloat("repeat_action_probability", sticky_probability)
        if display:
            self._ale.setBool("display_screen", True)
        self._ale.loadROM(path)
        self._actions = self._ale.getMinimalActionSet()
        size = self._ale.getScreenDims()
        self._screens = np.zeros((2, *(reversed(size) if self._is_atari_py else size)), np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: the game goes on where it stands, random numbers and all."""
        if self._is_atari_py:
            state = self._ale.cloneSystemState()
            saved = np.array(self._ale.encodeState(state))
            self._ale.deleteState(state)
        else:
            saved = self._ale.cloneState(include_rng=True)
        return {
            "game": self.game,
            "arguments": self._arguments,
            "saved": saved,
            "screens": self._screens.copy(),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["game"], **state["arguments"])  # type: ignore[misc]
        if self._is_atari_py:
            saved = self._ale.decodeState(state["saved"])
            self._ale.restoreSystemState(saved)
            self._ale.deleteState(saved)
        else:
            self._ale.restoreState(state["saved"])
        self._screens = state["screens"].copy()

    @property
    def lives(self) -> int:
        """Lives left; 0 in games without lives."""
        return int(self._ale.lives())

    def frame_numbers(self) -> dict[str, int]:
        """Frames played since the ROM was loaded, and since the last reset."""
        return {
            "frame_number": int(self._ale.getFrameNumber()),
            "episode_frame_number": int(self._ale.getEpisodeFrameNumber()),
        }

    def screen(self) -> Screen:
        """The screen in colour, uint8 (height, width, 3)."""
        ale = self._ale
        return np.asarray(ale.getScreenRGB2() if self._is_atari_py else ale.getScreenRGB())

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


def check(emulator: str, display: bool = False) -> None:
    """Checks that there is such an emulator here.

    Raises:
      ValueError: there is none of this name; or atari_py shall open a window, which it cannot.
      ImportError: atari_py is not installed.
    """
    if emulator not in EMULATORS:
        names = " or ".join(map(repr, EMULATORS))
        raise ValueError(f"emulator must be {names} (got {emulator!r})")
    if emulator == "atari_py":
        if display:
            raise ValueError("atari_py's emulator has no window: use render_mode='rgb_array'.")
        try:
            importlib.import_module("atari_py")
        except ImportError as error:
            raise ImportError(
                "emulator='atari_py' needs atari-py: pip install atari-py==0.2.5 (it is built with "
                "cmake and a C++ compiler; the README has a way without)."
            ) from error
