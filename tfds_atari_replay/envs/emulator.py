"""The Atari emulator as the logs' agents saw it: Dopamine's preprocessing, without gym."""

from __future__ import annotations

import importlib
import pathlib
from typing import Any

import ale_py
import ale_py.roms
import cv2
import numpy as np

from tfds_atari_replay.arguments import check_choice
from tfds_atari_replay.envs.protocol import FRAMES_PER_STEP, STICKY_PROBABILITY
from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames

EMULATORS = ("ale_py", "atari_py")


class Emulator:
    """Plays a game and returns what Dopamine's preprocessing shows an agent.

    A step is four frames with one action; its reward is their unclipped sum. The observation is the
    maximum of the grey screens of frames 3 and 4, resized to 84x84 with OpenCV's INTER_AREA. After
    a reset the second screen is black. There are no no-op starts, no fire at reset, and losing a
    life ends nothing. In each frame the previous action is repeated with probability 0.25. This is
    the protocol of Machado et al. (2018), with which the logs were recorded.
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
          seed: for the emulator's random numbers: sticky actions, and in atari_py also the first
            state of some games.
          rom: the ROM file, named `<game.rom>.bin`; by default ale-py's own.
          sticky_probability: of repeating the previous action, in each frame.
          emulator: 'ale_py', or 'atari_py', which recorded the logs.
          display: open a window that shows the game.
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
        # Settings take effect when a ROM is loaded, so they come first. To atari_py, seed 0 means
        # the time of day.
        self._ale.setInt("random_seed", seed or (2**31 - 1 if self._is_atari_py else 0))
        self._ale.setFloat("repeat_action_probability", sticky_probability)
        if display:
            self._ale.setBool("display_screen", True)
        self._ale.loadROM(path)
        self._actions = self._ale.getMinimalActionSet()
        size = self._ale.getScreenDims()
        self._screens = np.zeros((2, *(reversed(size) if self._is_atari_py else size)), np.uint8)
        self._at_reset: Any = None
        self._played: list[int] = []

    def __getstate__(self) -> dict[str, Any]:
        """Saves the game for copies and pickles: how its episode began, and what was played since.

        ALE's saved states lack the action that sticks and the screen, so a state saved in the
        middle of an episode may play on differently. At a reset there are none.
        """
        return {
            "game": self.game,
            "arguments": self._arguments,
            "at_reset": self._at_reset,
            "played": list(self._played),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["game"], **state["arguments"])  # type: ignore[misc]
        if state["at_reset"] is None:
            return
        self.reset()
        self._restore(state["at_reset"])
        for action in state["played"]:
            self.step(action)

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

    def screen(self) -> Frames:
        """The screen in colour, uint8 (height, width, 3)."""
        ale = self._ale
        return np.asarray(ale.getScreenRGB2() if self._is_atari_py else ale.getScreenRGB())

    def reset(self) -> Frames:
        """Starts an episode; returns its first observation, uint8 (84, 84)."""
        self._ale.reset_game()
        self._at_reset, self._played = self._save(), []
        self._ale.getScreenGrayscale(self._screens[0])
        self._screens[1] = 0
        return self._observation()

    def step(self, action: int) -> tuple[Frames, float, bool]:
        """Plays one agent step.

        Args:
          action: index into `game.actions`.

        Returns:
          The observation, uint8 (84, 84); the unclipped reward; whether the game is over. The
          observation after a game's last step is in no log, and versions of Dopamine differ in it.
        """
        self._played.append(action)
        reward = 0.0
        for frame in range(FRAMES_PER_STEP):
            reward += self._ale.act(self._actions[action])
            if frame >= FRAMES_PER_STEP - 2:
                self._ale.getScreenGrayscale(self._screens[frame - (FRAMES_PER_STEP - 2)])
            if self._ale.game_over():
                return self._observation(), reward, True
        return self._observation(), reward, False

    def _save(self) -> Any:
        if not self._is_atari_py:
            return self._ale.cloneState(include_rng=True)
        state = self._ale.cloneSystemState()
        try:
            return np.array(self._ale.encodeState(state))
        finally:
            self._ale.deleteState(state)

    def _restore(self, saved: Any) -> None:
        self._at_reset = saved
        if not self._is_atari_py:
            self._ale.restoreState(saved)
            return
        state = self._ale.decodeState(saved)
        self._ale.restoreSystemState(state)
        self._ale.deleteState(state)

    def _observation(self) -> Frames:
        first, second = self._screens
        # Into the first screen, as Dopamine does it: a game that ends early shows it again.
        np.maximum(first, second, out=first)
        return np.asarray(
            cv2.resize(first, FRAME_SHAPE[::-1], interpolation=cv2.INTER_AREA), np.uint8
        )


def check(emulator: str, display: bool = False) -> None:
    """Checks that an emulator is installed and can do what is asked.

    Raises:
      TypeError: the name is not a string.
      ValueError: unknown name; or a window is asked of atari_py, which has none.
      ImportError: atari_py is not installed.
    """
    check_choice("emulator", emulator, EMULATORS)
    if emulator == "atari_py":
        if display:
            raise ValueError("atari_py cannot open a window. Use render_mode='rgb_array'.")
        try:
            importlib.import_module("atari_py")
        except ImportError as error:
            raise ImportError(
                "emulator='atari_py' needs atari-py: pip install atari-py==0.2.5 (which builds it "
                "with cmake and a C++ compiler; docs/environments.md, 'ROMs', has a way without)."
            ) from error
