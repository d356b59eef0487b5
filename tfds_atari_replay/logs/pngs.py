"""Frames packed as PNG images, whose headers are not trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from etils import epy

from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames

# Importing OpenCV takes as long as everything else, and only RL Unplugged has images.
with epy.lazy_imports():
    import cv2

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def decode_frames(pngs: Sequence[bytes]) -> Frames:
    """Decodes images to frames, uint8 (n, 84, 84).

    Raises:
      DamageError: one is no PNG, is damaged, or is no frame.
    """
    frames = np.empty((len(pngs), *FRAME_SHAPE), np.uint8)
    expected = f"expected PNG images, uint8 {FRAME_SHAPE}"
    for frame, png in zip(frames, pngs, strict=True):
        if (shape := _read_shape(png)) != FRAME_SHAPE:
            raise DamageError(f"{expected}, got {f'one of the shape {shape}' if shape else None}")
        image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is None or image.shape != FRAME_SHAPE or image.dtype != np.uint8:
            got = "a damaged one" if image is None else f"{image.dtype} {image.shape}"
            raise DamageError(f"{expected}, got {got}")
        frame[:] = image
    return frames


def _read_shape(png: bytes) -> tuple[int, int] | None:
    """Returns the shape in a PNG's header; None if it is no PNG, or cut short.

    OpenCV allocates as many pixels as the header promises, and as many bytes as each chunk does.
    """
    offset = len(_SIGNATURE)
    while png.startswith(_SIGNATURE) and offset < len(png):
        kind = png[offset + 4 : offset + 8]
        if offset == len(_SIGNATURE) and kind != b"IHDR":
            return None
        offset += 12 + int.from_bytes(png[offset : offset + 4], "big")
        if kind == b"IEND" and offset <= len(png):
            return int.from_bytes(png[20:24], "big"), int.from_bytes(png[16:20], "big")
    return None
