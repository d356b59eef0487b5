"""Contact sheets of episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.figures.contact_sheets import contact_sheet
from tfds_atari_replay.figures.drawing import BAD, GOOD, PAPER, Color

WIDTH, HEIGHT = 2 * 84 + 8, 2 * 84 + 18 + 16  # of a cell
CORNERS = [(46 + row * HEIGHT, 8 + column * WIDTH) for row in range(4) for column in range(8)]


def make_frames(length: int) -> npt.NDArray[np.uint8]:
    """Each of one gray, its step's."""
    return np.arange(length, dtype=np.uint8)[:, np.newaxis, np.newaxis].repeat(84, 1).repeat(84, 2)


def draw(length: int, rewards: dict[int, float]) -> npt.NDArray[np.uint8]:
    reward = np.zeros(length, np.float32)
    reward[list(rewards)] = list(rewards.values())
    return contact_sheet("", make_frames(length), np.zeros(length, int), reward, ["NOOP"])


def steps_of(sheet: Any, count: int) -> list[int]:
    """The step of each frame, which is its gray."""
    found = []
    for top, left in CORNERS[:count]:
        tile = sheet[top : top + 168, left : left + 168]
        assert (tile == tile[0, 0, 0]).all()
        found.append(int(tile[0, 0, 0]))
    return found


def outlined(sheet: Any, color: Color) -> list[int]:
    """The indices of the frames that an outline of three pixels surrounds."""
    found = []
    for index, (top, left) in enumerate(CORNERS):
        outline = sheet[top - 3 : top + 171, left - 3 : left + 171].copy()
        outline[3:-3, 3:-3] = color
        if (outline == color).all():
            found.append(index)
    return found


def test_frames_are_evenly_spaced() -> None:
    """32 of them in rows of 8, from the first to the last."""
    sheet = draw(200, {})
    assert sheet.shape == (4 * HEIGHT + 54, 8 * WIDTH + 8, 3)
    expected = [round(index * 199 / 31) for index in range(32)]
    assert steps_of(sheet, 32) == expected
    assert expected[:3] == [0, 6, 13]
    assert expected[-1] == 199


def test_a_short_episode_is_shown_whole() -> None:
    """In as few rows as it needs."""
    sheet = draw(10, {})
    assert sheet.shape == (2 * HEIGHT + 54, 8 * WIDTH + 8, 3)
    assert steps_of(sheet, 10) == list(range(10))
    assert (sheet[HEIGHT + 46 : -30, 8 + 2 * WIDTH :] == PAPER).all()


def test_rewards_outline_the_next_frame_shown() -> None:
    """Rewards of steps that are not shown belong to the next frame, whose own step counts too."""
    # Steps 0 6 13 19 26 32 39 ... 193 199 are shown.
    sheet = draw(200, {0: 1, 7: 1, 19: -1, 20: 1, 26: -1, 199: 1})
    assert outlined(sheet, GOOD) == [0, 2, 31]
    assert outlined(sheet, BAD) == [3]
