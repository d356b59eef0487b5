"""Frames as rows of a shared table: what random access gathers from.

A frame is cut into units of two rows of pixels. The table keeps each distinct unit once, and a
frame is the numbers of its 42 units. Few rows change from frame to frame, and those that change
come back again and again, so real play takes 180 to 500 bytes a frame instead of 7,056. The table
fits into the processor's caches, so gathering from it is faster than copying raw frames.

Each episode is preceded by one frame of zeros, which is what a stack holds before a reset.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

HEIGHT, WIDTH = 84, 84
ROWS_PER_UNIT = 2
UNITS_PER_FRAME = HEIGHT // ROWS_PER_UNIT
BYTES_PER_UNIT = ROWS_PER_UNIT * WIDTH

EPISODE = np.dtype(
    [
        ("episode_id", np.int64),
        ("checkpoint_id", np.int64),
        ("length", np.int64),
        ("episode_return", np.float32),
        ("is_complete", np.bool_),
    ]
)
"""An episode as a dataset describes it; `length` counts its logged steps."""

PLACE = np.dtype(
    [
        ("start", np.int64),
        ("steps", np.int64),
        ("starts_at_reset", np.bool_),
        ("ends_in_terminal", np.bool_),
        ("shard", np.int64),
        ("record", np.int64),
    ]
)
"""Where an episode lies: the frame of its first step; how many steps it has, terminal state
included; whether the first follows a reset and the last is a terminal state; the shard and the
record of the dataset that it was read from."""

STORED: dict[str, tuple[Any, tuple[int, ...]]] = {
    "units": (np.uint8, (BYTES_PER_UNIT,)),
    "index": (np.int32, (UNITS_PER_FRAME,)),
    "action": (np.uint8, ()),
    "reward": (np.float32, ()),
    "episodes": (EPISODE, ()),
    "places": (PLACE, ()),
}
"""The arrays of `Packed`, each in an .npy file of this name: dtype, and shape of a row."""

META = "meta.json"
"""The file that describes those arrays; see `replay.cache`."""

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Packed:
    """The steps of E episodes: F frames, including the one of zeros before each episode.

    Attributes:
      units: uint8 (U, 168), the distinct units. Unit 0 is zeros.
      index: int32 (F, 42), the numbers of each frame's units.
      action: uint8 (F,); 0 where there is none.
      reward: float32 (F,); 0 where there is none.
      episodes: `EPISODE` (E,), in time order.
      places: `PLACE` (E,).
      folders: where all this is stored, each with the text of its `meta.json`; empty if nowhere.
        If it is stored, a copy in another process maps the same files.
    """

    units: Array
    index: Array
    action: Array
    reward: Array
    episodes: Array
    places: Array
    folders: tuple[tuple[pathlib.Path, str], ...] = ()

    def __reduce__(self) -> Any:
        return (_map_again, (self.folders,)) if self.folders else super().__reduce__()


def join(parts: list[Packed]) -> Packed:
    """Puts several one after the other; a single one is not copied.

    Raises:
      ValueError: there are more frames than an index can number.
    """
    if len(parts) == 1:
        return parts[0]
    units = np.cumsum([0, *(len(part.units) for part in parts)])
    frames = np.cumsum([0, *(len(part.index) for part in parts)])
    limit = np.iinfo(np.int32).max
    if max(units[-1], frames[-1]) > limit:
        raise ValueError(f"Expected at most {limit:,} frames in one replay, got {frames[-1]:,}.")
    index = np.empty((frames[-1], UNITS_PER_FRAME), np.int32)
    places = []
    for part, unit, start in zip(parts, units, frames, strict=False):
        np.add(part.index, np.int32(unit), out=index[start : start + len(part.index)])
        moved = part.places.copy()
        moved["start"] += start
        places.append(moved)
    return Packed(
        np.concatenate([part.units for part in parts]),
        index,
        np.concatenate([part.action for part in parts]),
        np.concatenate([part.reward for part in parts]),
        np.concatenate([part.episodes for part in parts]),
        np.concatenate(places),
        tuple(folder for part in parts for folder in part.folders),
    )


def number_steps(lengths: Array) -> tuple[Array, Array]:
    """Returns, for each step of episodes of these lengths, its episode and its place in it.

    lengths 2, 3  ->  0 0 1 1 1 and 0 1 0 1 2
    """
    episode: Array = np.repeat(np.arange(len(lengths)), lengths)
    return episode, np.arange(len(episode)) - np.repeat(lengths.cumsum() - lengths, lengths)


def map_folder(folder: pathlib.Path, meta: str) -> Packed:
    """Maps the arrays that are stored in a folder.

    Args:
      folder: where they are.
      meta: the text of its `meta.json`.

    Raises:
      ValueError: a file holds something else.
      OSError: a file cannot be read.
    """
    arrays = {}
    for name, (dtype, row_shape) in STORED.items():
        # Copy-on-write: nothing that users do to the arrays reaches the files.
        array = np.asarray(np.load(folder / f"{name}.npy", mmap_mode="c"))
        if array.dtype != dtype or array.shape[1:] != row_shape:
            raise ValueError(f"{name}.npy holds {array.dtype} {array.shape}")
        arrays[name] = array
    return Packed(**arrays, folders=((folder, meta),))


def _map_again(folders: tuple[tuple[pathlib.Path, str], ...]) -> Packed:
    """Maps what another process has mapped; the files were checked there."""

    def map_one(folder: pathlib.Path, meta: str) -> Packed:
        if (folder / META).read_text() != meta:
            raise ValueError("it was packed again")
        return map_folder(folder, meta)

    try:
        return join([map_one(*folder) for folder in folders])
    except (OSError, ValueError) as error:
        paths = ", ".join(str(folder) for folder, _ in folders)
        raise FileNotFoundError(
            f"{paths}: no longer what this replay was loaded from ({error}). Call load_replay "
            "again."
        ) from error
