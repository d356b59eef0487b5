"""Contact sheets of episodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.figures import drawing
from tfds_atari_replay.figures.drawing import DIM, INK, PAPER, Picture
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames

_ROWS, _COLUMNS = 4, 8
_SCALE = 2
_HEIGHT, _WIDTH = (_SCALE * size for size in FRAME_SHAPE)
_GAP = 8
_LINE = 18


def contact_sheet(
    title: str,
    frames: Frames,
    action: npt.NDArray[np.integer],
    reward: npt.NDArray[np.floating],
    action_meanings: Sequence[str],
) -> Picture:
    """Draws up to 32 steps of an episode, evenly spaced in time, in rows of 8.

    Below each frame are its step, its action and the reward since the frame before; the frame is
    outlined in green if that reward is above zero, in red if below.

    Args:
      title: written above the frames.
      frames: uint8 (T, 84, 84).
      action: integers (T,).
      reward: (T,).
      action_meanings: name by action.

    Returns:
      uint8 (height, width, 3), RGB.
    """
    steps = np.unique(np.linspace(0, len(frames) - 1, _ROWS * _COLUMNS).round().astype(int))
    gained = np.add.reduceat(reward, [0, *(steps[:-1] + 1)])
    rows = -(-len(steps) // _COLUMNS)
    cell_height = _HEIGHT + _LINE + 2 * _GAP
    sheet = np.full(
        (rows * cell_height + 3 * _LINE, _COLUMNS * (_WIDTH + _GAP) + _GAP, 3), PAPER, np.uint8
    )
    drawing.write(sheet, title, _GAP, 2 * _LINE - 4, INK, size=0.6)
    for index, (step, gain) in enumerate(zip(steps, gained, strict=True)):
        row, column = divmod(index, _COLUMNS)
        x, y = _GAP + column * (_WIDTH + _GAP), 3 * _LINE - _GAP + row * cell_height
        color = drawing.reward_color(gain)
        drawing.draw_frame(sheet, frames[step], x, y, scale=_SCALE, outline=color, margin=3)
        baseline = y + _HEIGHT + _LINE - 3
        drawing.write(sheet, f"{step} {action_meanings[action[step]]}", x, baseline, DIM, size=0.4)
        if color:
            drawing.write(sheet, f"{gain:+g}", x + _WIDTH - 28, baseline, color, size=0.4)
    return sheet
