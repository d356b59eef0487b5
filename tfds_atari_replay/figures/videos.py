"""Episodes in motion: videos, animated WebPs, and sheets of frames for the page's players."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import _extras
from tfds_atari_replay.arguments import check_whole
from tfds_atari_replay.figures.drawing import INK, PAPER, draw_frame, reward_color, write
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames

FRAMES_PER_SECOND = 15
"""The emulator shows 60 frames a second; the agent saw every fourth."""

MAX_FRAMES = 1500
"""Most frames of a clip, a hundred seconds; a longer episode shows every k-th step."""

MAX_BYTES = 800_000
"""Size limit of a clip, so that a page with six of them stays below 10 MB."""

SHEET_COLUMNS = 40

HOLD = 5
"""How many frames a reward outlines: a third of a second, long enough to be seen."""

_MARGIN, _LINE = 4, 20


class Clip(NamedTuple):
    """An episode as a file that a browser shows.

    Attributes:
      webp: a lossless WebP.
      stride: steps from one shown frame to the next.
    """

    webp: bytes
    stride: int


def draw(
    frames: Frames, reward: npt.NDArray[np.floating], steps: npt.NDArray[np.integer], scale: int
) -> npt.NDArray[np.uint8]:
    """Draws N steps of an episode; see `Episode.video`.

    Args:
      frames: uint8 (T, 84, 84).
      reward: (T,).
      steps: increasing, from 0; rewards between two of them are marked at the earlier one.
      scale: pixels in a row and column for each pixel of a frame.

    Returns:
      uint8 (N, 84 * scale + 28, 84 * scale + 8, 3), RGB.
    """
    scale = check_whole("scale", scale)
    height, width = (scale * size + 2 * _MARGIN for size in FRAME_SHAPE)
    gained = np.add.reduceat(reward, steps).tolist()
    totals = itertools.accumulate(gained)
    video = np.full((len(steps), height + _LINE, width, 3), PAPER, np.uint8)
    text_size, baseline = min(0.45, width / 600), height + _LINE - 7
    for index, (picture, step, total) in enumerate(zip(video, steps, totals, strict=True)):
        latest = reversed(gained[max(0, index - HOLD + 1) : index + 1])
        color = next(filter(None, map(reward_color, latest)), None)
        draw_frame(
            picture, frames[step], _MARGIN, _MARGIN, scale=scale, outline=color, margin=_MARGIN
        )
        write(picture, f"step {step}", _MARGIN, baseline, INK, text_size)
        write(picture, f"return {total:g}", width // 2 - _MARGIN, baseline, color or INK, text_size)
    return video


def animate(frames: Frames, reward: npt.NDArray[np.floating]) -> Clip:
    """Encodes the video of an episode as an animation.

    Raises:
      ImportError: Pillow is not installed.
    """
    return _fit(len(frames), lambda steps: to_webp(draw(frames, reward, steps, scale=3)))


def lay_out(frames: Frames) -> Clip:
    """Encodes frames as a single picture with `SHEET_COLUMNS` of them in a row, for the player.

    Raises:
      ImportError: Pillow is not installed.
    """

    def encode(steps: npt.NDArray[np.integer]) -> bytes:
        missing = -len(steps) % SHEET_COLUMNS  # in the last row, which black frames fill up
        cells = np.pad(frames[steps], ((0, missing), (0, 0), (0, 0)))
        rows = cells.reshape(-1, SHEET_COLUMNS, *FRAME_SHAPE).swapaxes(1, 2)
        return to_webp([rows.reshape(-1, SHEET_COLUMNS * FRAME_SHAPE[1])])

    return _fit(len(frames), encode)


def _fit(length: int, encode: Callable[[npt.NDArray[np.integer]], bytes]) -> Clip:
    """Encodes every k-th step; raises k until the file is small enough."""
    stride = -(-length // MAX_FRAMES)
    while len(webp := encode(np.arange(0, length, stride))) > MAX_BYTES:
        stride = max(stride + 1, stride * len(webp) // MAX_BYTES)
    return Clip(webp, stride)


def to_webp(pictures: Iterable[npt.NDArray[np.uint8]]) -> bytes:
    """Encodes a picture, or several as an animation, as a lossless WebP.

    Args:
      pictures: uint8 (H, W) or (H, W, 3), RGB.

    Raises:
      ImportError: Pillow is not installed.
    """
    with _extras.required_for("An animation", "preview"):
        import PIL.Image
    first, *others = (PIL.Image.fromarray(picture) for picture in pictures)
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=bool(others),
        append_images=others,
        duration=round(1000 / FRAMES_PER_SECOND),
        loop=0,
        # The smallest sheets of 1,000 frames that take less than a second. (Lossless, quality means
        # effort.)
        lossless=True,
        method=2,
        quality=60,
    )
    return file.getvalue()


def to_url(webp: bytes) -> str:
    """Returns a WebP as a data: URL."""
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
