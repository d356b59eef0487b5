"""Gathers frames from tables of units and groups, in NumPy, PyTorch or JAX."""

from __future__ import annotations

import itertools
import math
from typing import Any

import array_api_compat
import numpy as np

from tfds_atari_replay.replay.packed import FrameArrays
from tfds_atari_replay.replay.table import BYTES_PER_UNIT, HEIGHT, WIDTH
from tfds_atari_replay.threads import map_slices

Array = Any
"""An array of NumPy, PyTorch or JAX."""

# Frames that a thread makes while another gets work and reports back: some 0.15 ms.
_HANDOVER = 240

# Frames of one part that are made before they are copied to their places: they fit into the
# processor's cache.
_FRAMES_AT_ONCE = 64


def gather_frames(
    parts: tuple[FrameArrays, ...], frames: Array, out: np.ndarray[Any, Any] | None = None
) -> Array:
    """Makes frames from their numbers.

    NumPy works in as many threads as there are cores. In other libraries this runs where the arrays
    are, on an accelerator for example.

    Args:
      parts: the arrays, whose frames are numbered through; in other libraries than NumPy only one.
      frames: integers (...,), numbers of frames, which are not checked.
      out: uint8 (..., 84, 84) in C order, if it is to be filled instead of new memory. Only NumPy.

    Returns:
      uint8 (..., 84, 84).
    """
    shape = (*frames.shape, HEIGHT, WIDTH)
    if not isinstance(parts[0].units, np.ndarray):
        (part,) = parts
        xp: Any = array_api_compat.array_namespace(part.units)
        numbers = xp.reshape(frames, (-1,))
        for table in (part.index, part.groups, part.units):
            numbers = xp.reshape(xp.take(table, numbers, axis=0), (-1,))
        return xp.reshape(numbers, shape)
    gathered = np.empty(shape, np.uint8) if out is None else out
    flat, rows = frames.reshape(-1), gathered.reshape(math.prod(frames.shape), HEIGHT * WIDTH)
    if len(parts) == 1:
        map_slices(lambda some: _fill(rows[some], parts[0], flat[some]), len(flat), _HANDOVER)
    else:
        _fill_from(rows, parts, flat)
    return gathered


def gather_into(
    out: np.ndarray[Any, Any], parts: tuple[FrameArrays, ...], frames: np.ndarray[Any, Any]
) -> None:
    """Makes frames in memory of any order."""
    if out.flags.c_contiguous:
        gather_frames(parts, frames, out)
    else:
        out[...] = gather_frames(parts, frames)


def _fill(out: Array, part: FrameArrays, frames: Array) -> None:
    """Makes frames (N,) of one part, in uint8 (N, 7056)."""
    # mode="clip" since the default, "raise", gathers into a buffer first and copies.
    groups = np.take(part.index, frames, axis=0, mode="clip").reshape(-1)
    units = np.take(part.groups, groups, axis=0, mode="clip").reshape(-1)
    np.take(part.units, units, axis=0, mode="clip", out=out.reshape(-1, BYTES_PER_UNIT))


def _fill_from(out: Array, parts: tuple[FrameArrays, ...], frames: Array) -> None:
    """Makes frames (N,) of any parts, in uint8 (N, 7056)."""
    starts = np.cumsum([0, *(len(part.index) for part in parts)])
    part_of = np.searchsorted(starts[1:], frames, side="right")
    order = np.argsort(part_of, kind="stable")
    bounds = np.searchsorted(part_of, np.arange(len(parts) + 1), sorter=order)

    def fill(some: slice) -> None:
        buffer = np.empty((_FRAMES_AT_ONCE, out.shape[1]), np.uint8)
        for number, part in enumerate(parts):
            first, stop = max(bounds[number], some.start), min(bounds[number + 1], some.stop)
            for begin, end in itertools.pairwise([*range(first, stop, _FRAMES_AT_ONCE), stop]):
                rows = order[begin:end]
                made = buffer[: len(rows)]
                _fill(made, part, frames[rows] - starts[number])
                out[rows] = made

    map_slices(fill, len(frames), _HANDOVER)
