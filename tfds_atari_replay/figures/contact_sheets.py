"""Contact sheets of episodes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from tfds_atari_replay.logs.records import FRAME_SHAPE

Picture = npt.NDArray[np.uint8]

_SCALE = 2
_HEIGHT, _WIDTH = (_SCALE * size for size in FRAME_SHAPE)
_GAP = 8
_LINE = 18
_INK, _DIM, _GOOD, _BAD = (235, 235, 235), (140, 140, 140), (90, 210, 90), (230, 90, 90)


def contact_sheet(
    title: str,
    frames: npt.NDArray[np.uint8],
    action: npt.NDArray[np.integer],
    reward: npt.NDArray[np.floating],
    action_meanings: Sequence[str],
    rows: int = 4,
    columns: int = 8,
) -> Picture:
    """Draws an episode as rows of frames, evenly spaced in time.

    Each frame is captioned with its step, action and reward since the previous frame, and outlined
    green (red if negative).

    Args:
      title: a line to stand above.
      frames: uint8 (T, 84, 84) or (T, 84, 84, 1).
      action: integers (T,).
      reward: (T,).
      action_meanings: name by action.
      rows: of pictures.
      columns: of pictures.

    Returns:
      uint8 (height, width, 3), RGB.
    """
    steps = np.unique(np.linspace(0, len(frames) - 1, rows * columns).round().astype(int))
    rows = -(-len(steps) // columns)
    cell_height = _HEIGHT + _LINE + 2 * _GAP
    sheet = np.full(
        (rows * cell_height + 3 * _LINE, columns * (_WIDTH + _GAP) + _GAP, 3), 24, np.uint8
    )
    _write(sheet, title, _GAP, 2 * _LINE - 4, _INK, 0.6)
    last = -1
    for place, step in enumerate(steps):
        top = 3 * _LINE - _GAP + place // columns * cell_height
        left = _GAP + place % columns * (_WIDTH + _GAP)
        gained = float(reward[last + 1 : step + 1].sum())
        last = step
        if gained:
            color = _GOOD if gained > 0 else _BAD
            cv2.rectangle(
                sheet, (left - 2, top - 2), (left + _WIDTH + 1, top + _HEIGHT + 1), color, 2
            )
        picture = frames[step].reshape(FRAME_SHAPE).repeat(_SCALE, 0).repeat(_SCALE, 1)
        sheet[top : top + _HEIGHT, left : left + _WIDTH] = picture[..., np.newaxis]
        caption = f"{step} {action_meanings[int(action[step])]}"
        _write(sheet, caption, left, top + _HEIGHT + _LINE - 3, _DIM)
        if gained:
            _write(sheet, f"{gained:+g}", left + _WIDTH - 28, top + _HEIGHT + _LINE - 3, color)
    return sheet


def _write(
    sheet: Picture, text: str, x: int, y: int, color: tuple[int, int, int], size: float = 0.4
) -> None:
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)
