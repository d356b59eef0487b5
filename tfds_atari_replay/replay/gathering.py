"""Gathers frames from tables of units and groups, in NumPy, PyTorch or JAX."""

from __future__ import annotations

import itertools
from typing import Any

import array_api_compat
import numpy as np

from tfds_atari_replay.replay import memory
from tfds_atari_replay.replay.batches import Array
from tfds_atari_replay.replay.packed import FrameArrays
from tfds_atari_replay.replay.table import BYTES_PER_UNIT, HEIGHT, WIDTH
from tfds_atari_replay.threads import map_slices

# Frames made in the time that handing work to a thread and back takes: some 0.15 ms.
_HANDOVER = 240

# Frames of one part that are made side by side before they are copied to their places. Larger
# blocks would leave the processor's cache.
_FRAMES_AT_ONCE = 256


def gather_frames(
    parts: tuple[FrameArrays, ...], frames: Array, out: np.ndarray[Any, Any] | None = None
) -> Array:
    """Makes frames from their numbers.

    NumPy works in as many threads as there are cores. In other libraries this runs where the arrays
    are, on an accelerator for example.

    Args:
      parts: the arrays, whose frames are numbered through; only one unless they are NumPy's.
      frames: integers (N, ...), numbers of frames, which are not checked. Each of the N has frames
        of one part only.
      out: uint8 (N, ..., 84, 84) in C order, to be filled instead of new memory; NumPy only.

    Returns:
      uint8 (N, ..., 84, 84).
    """
    shape = (*frames.shape, HEIGHT, WIDTH)
    if not isinstance(parts[0].units, np.ndarray):
        (part,) = parts
        xp: Any = array_api_compat.array_namespace(part.units)
        numbers = xp.reshape(frames, (-1,))
        for table in (part.index, part.groups, part.units):
            numbers = xp.reshape(xp.take(table, numbers, axis=0), (-1,))
        return xp.reshape(numbers, shape)
    gathered = memory.empty(shape) if out is None else out
    if len(parts) == 1:
        flat, rows = frames.reshape(-1), gathered.reshape(-1, HEIGHT * WIDTH)
        map_slices(lambda some: _fill(rows[some], parts[0], flat[some]), len(flat), _HANDOVER)
    elif frames.size:
        _fill_from(gathered.reshape(len(frames), -1), parts, frames.reshape(len(frames), -1))
    return gathered


def gather_into(
    out: np.ndarray[Any, Any], parts: tuple[FrameArrays, ...], frames: np.ndarray[Any, Any]
) -> None:
    """Makes frames in given memory, in C order or not."""
    if out.flags.c_contiguous:
        gather_frames(parts, frames, out)
    else:
        out[...] = gather_frames(parts, frames)


def _fill(out: Array, part: FrameArrays, frames: Array) -> None:
    """Makes frames (N,) of one part, in uint8 (..., 7056 times any number)."""
    # mode="clip" since the default, "raise", gathers into a buffer first and copies.
    groups = np.take(part.index, frames, axis=0, mode="clip").reshape(-1)
    units = np.take(part.groups, groups, axis=0, mode="clip").reshape(-1)
    np.take(part.units, units, axis=0, mode="clip", out=out.reshape(-1, BYTES_PER_UNIT))


def _fill_from(out: Array, parts: tuple[FrameArrays, ...], frames: Array) -> None:
    """Makes frames (N, W), where each of the N has those of one part, in uint8 (N, W * 7056)."""
    starts = np.cumsum([0, *(len(part.index) for part in parts)])
    part_of = np.searchsorted(starts[1:], frames[:, 0], side="right")
    order = np.argsort(part_of, kind="stable")
    part_of, frames = part_of[order], frames[order]
    frames -= starts[part_of][:, np.newaxis].astype(frames.dtype)
    at_once = max(1, _FRAMES_AT_ONCE // frames.shape[1])

    def fill(some: slice) -> None:
        buffer = np.empty((at_once, out.shape[1]), np.uint8)
        changes = np.flatnonzero(np.diff(part_of[some])) + some.start + 1
        for first, stop in itertools.pairwise([some.start, *changes.tolist(), some.stop]):
            part = parts[part_of[first]]
            for begin, end in itertools.pairwise([*range(first, stop, at_once), stop]):
                if end - begin == 1:
                    _fill(out[order[begin]], part, frames[begin])
                else:
                    made = buffer[: end - begin]
                    _fill(made, part, frames[begin:end].reshape(-1))
                    out[order[begin:end]] = made

    map_slices(fill, len(frames), max(1, _HANDOVER // frames.shape[1]))
