"""Colours and outlined frames."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from tfds_atari_replay.figures import drawing
from tfds_atari_replay.figures.drawing import BAD, GOOD, Color, draw_frame, reward_color


@pytest.mark.parametrize(("reward", "color"), [(2.5, GOOD), (0.0, None), (-1.0, BAD)])
def test_the_colour_of_a_reward(reward: float, color: Color | None) -> None:
    assert reward_color(reward) == color


def test_the_page_has_the_same_colours() -> None:
    css = pathlib.Path(drawing.__file__).with_name("page") / "page.css"
    for name, color in (("good", GOOD), ("bad", BAD)):
        assert f"--{name}: #{bytes(color).hex()};" in css.read_text()


def test_a_frame_is_enlarged_and_outlined() -> None:
    frame = np.array([[1, 2]], np.uint8)
    plain, outlined = np.zeros((2, 4, 7, 3), np.uint8)
    draw_frame(plain, frame, 2, 1, scale=2, outline=None, margin=1)
    draw_frame(outlined, frame, 2, 1, scale=2, outline=(9, 8, 7), margin=1)
    assert plain[..., 0].tolist() == [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 2, 2, 0],
        [0, 0, 1, 1, 2, 2, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
    assert outlined[..., 0].tolist() == [
        [0, 9, 9, 9, 9, 9, 9],
        [0, 9, 1, 1, 2, 2, 9],
        [0, 9, 1, 1, 2, 2, 9],
        [0, 9, 9, 9, 9, 9, 9],
    ]
    assert outlined[0, 1].tolist() == [9, 8, 7]
