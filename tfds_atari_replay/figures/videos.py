"""Episodes in motion: drawn frames, animated WebPs, sheets of frames for a player."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from tfds_atari_replay import _extras
from tfds_atari_replay.arguments import check_whole
from tfds_atari_replay.logs.records import FRAME_SHAPE

Picture = npt.NDArray[np.uint8]

FRAMES_PER_SECOND = 15
"""The emulator shows 60 frames a second; the agent saw every fourth."""

MAX_FRAMES = 1500
"""Most frames of a clip, a hundred seconds; of longer episodes every k-th step is shown."""

MAX_BYTES = 800_000
"""Size limit of a clip, so that a page with six of them stays below 10 MB."""

SHEET_COLUMNS = 40

HOLD = 5
"""How many frames a reward outlines: a third of a second, or nobody would see it."""

GOOD, BAD = (46, 160, 67), (248, 81, 73)
"""The colours of reward above and below zero."""

_MARGIN, _LINE = 4, 20
_PAPER, _INK = (24, 24, 24), (235, 235, 235)


class Clip(NamedTuple):
    """An episode as a file that a browser shows.

    Attributes:
      webp: a WebP without loss.
      stride: steps from one shown frame to the next.
    """

    webp: bytes
    stride: int


def draw(
    frames: Picture, reward: npt.NDArray[np.floating], steps: npt.NDArray[np.integer], scale: int
) -> Iterator[Picture]:
    """Yields pictures of some steps; see `Episode.video`.

    Args:
      frames: uint8 (T, 84, 84).
      reward: (T,).
      steps: increasing, from 0; the rewards between two of them are marked at the former.
      scale: pixels in a row and column for each pixel of a frame.
    """
    scale = check_whole("scale", scale)
    height, width = (scale * size for size in FRAME_SHAPE)
    gained = np.add.reduceat(reward, steps)
    total, color, since = 0.0, _PAPER, HOLD
    for step, gain in zip(steps.tolist(), gained.tolist(), strict=True):
        total += gain
        since += 1
        if gain:
            color, since = GOOD if gain > 0 else BAD, 0
        picture = np.full((height + 2 * _MARGIN + _LINE, width + 2 * _MARGIN, 3), _PAPER, np.uint8)
        if since < HOLD:
            picture[: height + 2 * _MARGIN] = color
        frame = frames[step].repeat(scale, 0).repeat(scale, 1)
        picture[_MARGIN : _MARGIN + height, _MARGIN:-_MARGIN] = frame[..., np.newaxis]
        _write(picture, f"step {step}", _MARGIN, _INK)
        _write(picture, f"return {total:g}", width // 2, color if since < HOLD else _INK)
        yield picture


def _write(picture: Picture, text: str, x: int, color: tuple[int, int, int]) -> None:
    y, size = len(picture) - 7, min(0.45, picture.shape[1] / 600)
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)


def animate(frames: Picture, reward: npt.NDArray[np.floating]) -> Clip:
    """Encodes what `draw` draws, as a picture that plays by itself.

    Raises:
      ImportError: Pillow is not installed.
    """
    return _fit(len(frames), lambda steps: to_webp(list(draw(frames, reward, steps, scale=3))))


def lay_out(frames: Picture) -> Clip:
    """Encodes frames as one picture with `SHEET_COLUMNS` of them in a row, for a player.

    Raises:
      ImportError: Pillow is not installed.
    """
    return _fit(len(frames), lambda steps: to_webp([_to_sheet(frames[steps])]))


def _fit(count: int, encode: Callable[[npt.NDArray[np.integer]], bytes]) -> Clip:
    """Encodes every k-th of some steps: the fewest left out with which it is small enough."""
    stride = -(-count // MAX_FRAMES)
    while len(webp := encode(np.arange(0, count, stride))) > MAX_BYTES:
        stride = max(stride + 1, stride * len(webp) // MAX_BYTES)
    return Clip(webp, stride)


def _to_sheet(frames: Picture) -> Picture:
    """Fills up the last row with black."""
    rows, (height, width) = -(-len(frames) // SHEET_COLUMNS), FRAME_SHAPE
    cells = np.zeros((rows, SHEET_COLUMNS, height, width), np.uint8)
    cells.reshape(-1, height, width)[: len(frames)] = frames
    return cells.swapaxes(1, 2).reshape(rows * height, SHEET_COLUMNS * width)


def to_webp(pictures: Sequence[Picture]) -> bytes:
    """Encodes a picture, or an animation of several, as a WebP without loss.

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
        # Of what was tried on 1,000 frames, the smallest sheets, in less than a second. (Here
        # quality is effort.)
        lossless=True,
        method=2,
        quality=60,
    )
    return file.getvalue()


def to_url(webp: bytes) -> str:
    """Returns an address that holds a WebP itself."""
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
