"""An emulator's steps, over screens as bright as their frame's number."""

# ruff: noqa: N802, N815, these names are ALE's

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from tfds_atari_replay.envs.emulators.ale_py import AlePy
from tfds_atari_replay.games import GAMES

ROM = pathlib.Path("breakout.bin")


class FakeAle:
    """Frame n is n grey levels bright and scores n; the game is over at frame `last`."""

    def __init__(self, last: int):
        self.last, self.frame = last, 10
        self.settings: dict[str, Any] = {}
        self.rom = ""
        self.actions: list[str] = []

    def setInt(self, name: str, value: Any) -> None:
        assert not self.rom, "settings take effect when a ROM is loaded"
        self.settings[name] = value

    setFloat = setBool = setInt

    def loadROM(self, rom: str) -> None:
        self.rom = rom

    def getLegalActionSet(self) -> list[str]:
        return [f"action {number}" for number in range(18)]

    def getScreenGrayscale(self, screen: Any = None) -> Any:
        screen = np.empty((210, 160), np.uint8) if screen is None else screen
        screen[:] = self.frame
        return screen

    def reset_game(self) -> None:
        self.frame = 10

    def act(self, action: str) -> int:
        self.actions.append(action)
        self.frame += 1
        return self.frame

    def game_over(self) -> bool:
        return self.frame >= self.last


class Fake(AlePy):
    """An emulator over FakeAle."""

    last = 100

    def _make_interface(self) -> Any:
        return FakeAle(self.last)


def level(observation: Any) -> int:
    """The grey level of an even observation."""
    assert (observation.shape, observation.dtype) == ((84, 84), np.uint8)
    (found,) = np.unique(observation)
    return int(found)


def test_settings_are_made_before_the_rom_is_loaded() -> None:
    emulator = Fake(GAMES["Breakout"], seed=7, rom=ROM, sticky_probability=0.125, display=True)
    assert emulator.ale.settings == {
        "random_seed": 7,
        "repeat_action_probability": 0.125,
        "display_screen": True,
    }
    assert emulator.ale.rom == "breakout.bin"
    sticky = Fake(GAMES["Breakout"], seed=7, rom=ROM).ale.settings
    assert sticky == {"random_seed": 7, "repeat_action_probability": 0.25}


def test_a_step_is_four_frames_and_shows_the_brighter_of_the_last_two() -> None:
    emulator = Fake(GAMES["Breakout"], seed=0, rom=ROM)
    assert level(emulator.reset()) == 10
    frame, reward, is_over = emulator.step(3)
    assert (level(frame), reward, is_over) == (14, 11 + 12 + 13 + 14, False)
    # Breakout's LEFT is the fifth of ALE's 18 actions.
    assert emulator.ale.actions == ["action 4"] * 4
    emulator.ale.frame = 50
    emulator._screens[:] = 200  # nothing of an earlier step is shown
    assert level(emulator.step(0)[0]) == 54


def test_a_reset_shows_its_first_frame_alone() -> None:
    emulator = Fake(GAMES["Breakout"], seed=0, rom=ROM)
    emulator.reset()
    emulator.step(0)
    assert level(emulator.reset()) == 10


def test_a_step_ends_with_the_game() -> None:
    """Its later frames are not played; screens that it did not reach are an earlier step's."""
    emulator = Fake(GAMES["Breakout"], seed=0, rom=ROM)
    emulator.reset()
    emulator.step(0)
    emulator.ale.last = 16
    frame, reward, is_over = emulator.step(0)
    assert (level(frame), reward, is_over) == (14, 15 + 16, True)
    assert len(emulator.ale.actions) == 6
