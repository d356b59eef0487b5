"""Colours, outlined frames and text for pictures of episodes."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Picture: TypeAlias = npt.NDArray[np.uint8]
"""uint8 (height, width, 3), RGB."""

Color: TypeAlias = tuple[int, int, int]

PAPER, INK, DIM = (24, 24, 24), (235, 235, 235), (140, 140, 140)
GOOD, BAD = (46, 160, 67), (248, 81, 73)  # as in page/page.css


def reward_color(reward: float) -> Color | None:
    """Returns the colour of a reward: green above zero, red below, None for zero."""
    if not reward:
        return None
    return GOOD if reward > 0 else BAD


def draw_frame(
    picture: Picture,
    frame: npt.NDArray[np.uint8],
    x: int,
    y: int,
    *,
    scale: int,
    outline: Color | None,
    margin: int,
) -> None:
    """Draws a frame in gray, each pixel as a square.

    Args:
      picture: to draw into.
      frame: uint8 (height, width).
      x: the frame's left edge in the picture.
      y: its upper edge.
      scale: width of a square.
      outline: colour of the pixels around the frame; None leaves them as they are.
      margin: width of the outline.
    """
    height, width = (scale * size for size in frame.shape)
    if outline:
        picture[y - margin : y + height + margin, x - margin : x + width + margin] = outline
    enlarged = frame.repeat(scale, 0).repeat(scale, 1)
    picture[y : y + height, x : x + width] = enlarged[..., np.newaxis]


def write(picture: Picture, text: str, x: int, y: int, color: Color, size: float) -> None:
    """Writes a line of text, with its baseline at y."""
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)
