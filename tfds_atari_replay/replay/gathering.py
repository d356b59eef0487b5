"""Gathers frames from a table of units, in NumPy, PyTorch or JAX."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat
import numpy as np

from tfds_atari_replay.replay.table import BYTES_PER_UNIT, HEIGHT, WIDTH
from tfds_atari_replay.threads import map_slices

Array = Any
"""An array of NumPy, PyTorch or JAX."""

# Frames that a thread makes while another gets work and reports back: some 0.15 ms.
_HANDOVER = 240


def gather_frames(units: Array, index: Array, frames: Array) -> Array:
    """Makes frames from their numbers.

    NumPy works in as many threads as there are cores. In other libraries this runs where the arrays
    are, on an accelerator for example.

    Args:
      units: uint8 (U, 168), as `Packed` has them.
      index: int32 (F, 42), likewise.
      frames: integers (...,), numbers of frames from 0 to F - 1, which are not checked.

    Returns:
      uint8 (..., 84, 84).
    """
    shape = (*frames.shape, HEIGHT, WIDTH)
    if not isinstance(units, np.ndarray):
        xp = array_api_compat.array_namespace(units)
        numbers = xp.take(index, xp.reshape(frames, (-1,)), axis=0)
        return xp.reshape(xp.take(units, xp.reshape(numbers, (-1,)), axis=0), shape)
    gathered = np.empty((math.prod(frames.shape), HEIGHT, WIDTH), np.uint8)
    flat = frames.reshape(-1)

    def gather(part: slice) -> None:
        # mode="clip" since the default, "raise", gathers into a buffer first and copies.
        numbers = np.take(index, flat[part], axis=0, mode="clip").reshape(-1)
        out = gathered[part].reshape(-1, BYTES_PER_UNIT)
        np.take(units, numbers, axis=0, mode="clip", out=out)

    map_slices(gather, len(flat), _HANDOVER)
    return gathered.reshape(shape)
