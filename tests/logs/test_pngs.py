"""PNG images are decoded to frames; whatever is none, or promises too much, is refused."""

import re
import tracemalloc
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.pngs import decode_frames


def encode(image: npt.NDArray[np.unsignedinteger[Any]]) -> bytes:
    """The image as a PNG."""
    return bytes(cv2.imencode(".png", image)[1].tobytes())


FRAMES = np.random.default_rng(0).integers(0, 256, (3, 84, 84), np.uint8)
WHOLE = encode(FRAMES[0])


def with_shape(height: int, width: int) -> bytes:
    """A small PNG whose header promises another shape."""
    png = encode(np.zeros((1, 1), np.uint8))
    return png[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + png[24:]


def test_every_pixel_comes_back() -> None:
    np.testing.assert_array_equal(decode_frames([encode(frame) for frame in FRAMES]), FRAMES)


REFUSED = {
    "nothing": (b"", "got None"),
    "no PNG": (b"no png", "got None"),
    "a signature alone": (WHOLE[:8], "got None"),
    "no header": (WHOLE[:8] + WHOLE[33:], "got None"),
    "no end": (WHOLE[:-12], "got None"),
    "cut short": (WHOLE[:-1], "got None"),
    # A chunk that promises 2 GB, with its name and nothing more.
    "a huge chunk": (WHOLE[:33] + b"\x7f\xff\xff\xffIDAT" + WHOLE[41:], "got None"),
    "a narrow one": (encode(np.zeros((84, 83), np.uint8)), "got one of the shape (84, 83)"),
    "a huge one": (with_shape(30_000, 30_000), "got one of the shape (30000, 30000)"),
    "a high one": (with_shape(2**31 - 1, 84), "got one of the shape (2147483647, 84)"),
    "16 bits": (encode(np.zeros((84, 84), np.uint16)), "got uint16 (84, 84)"),
    "colours": (encode(np.zeros((84, 84, 3), np.uint8)), "got uint8 (84, 84, 3)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_frame_is_refused(name: str) -> None:
    """It is refused before memory is allocated for what it promises."""
    png, got = REFUSED[name]
    tracemalloc.start()
    with pytest.raises(
        DamageError, match=re.escape(f"expected PNG images, uint8 (84, 84), {got}") + "$"
    ):
        decode_frames([WHOLE, png])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_damaged_pixels_are_refused() -> None:
    """A chunk of pixels that does not unpack, though the chunks around it are whole."""
    pixels = b"IDAT" + b"no deflate"
    chunk = (10).to_bytes(4, "big") + pixels + zlib.crc32(pixels).to_bytes(4, "big")
    with pytest.raises(DamageError, match="got a damaged one"):
        decode_frames([WHOLE[:33] + chunk + WHOLE[-12:]])
