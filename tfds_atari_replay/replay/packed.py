"""Frames as rows of a shared table: what random access gathers from.

A frame is cut into units of two rows of pixels. The table keeps each distinct unit once, and a
frame is the numbers of its 42 units. Few rows change from frame to frame, and those that change
come back again and again, so real play takes 180 to 500 bytes a frame instead of 7,056. The table
fits into the processor's caches, so gathering from it is faster than copying raw frames.

Each episode is preceded by one frame of zeros, which is what a stack holds before a reset.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import fields
from tfds_atari_replay.replay.table import BYTES_PER_UNIT, UNITS_PER_FRAME, unite

_EPISODE = [(field.name, field.dtype) for field in fields.EPISODE]

EPISODE = np.dtype([*_EPISODE[:2], ("length", np.int64), *_EPISODE[2:]])
"""An episode as a dataset describes it; `length` counts its logged steps."""

SPAN = np.dtype(
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

SCALARS: dict[str, Any] = {
    field.name: field.packed_dtype for field in fields.STEP if field.packed_dtype
}
"""The scalar fields of steps that are kept: dtype by name."""

STORED: dict[str, tuple[Any, tuple[int, ...]]] = {
    "units": (np.uint8, (BYTES_PER_UNIT,)),
    "index": (np.int32, (UNITS_PER_FRAME,)),
    **{name: (dtype, ()) for name, dtype in SCALARS.items()},
    "episodes": (EPISODE, ()),
    "spans": (SPAN, ()),
}
"""The arrays of `Packed`, each in an .npy file of this name: dtype, and shape of a row."""

META = "meta.json"
"""The file that describes those arrays; see `replay.cache`."""

Array = npt.NDArray[Any]


class ReplayChangedError(RuntimeError):
    """The files of a pickled replay are gone, or were packed again.

    Not an OSError, which a worker of multiprocessing.Pool takes for the end of its work, silently.
    """


class _Gone:
    """Stands for `Packed` in a worker that cannot map its files; raises when it is used."""

    def __init__(self, message: str):
        self._message = message

    def __getattr__(self, name: str) -> Any:
        raise ReplayChangedError(self._message)

    def __reduce__(self) -> Any:
        return _Gone, (self._message,)


@dataclasses.dataclass(frozen=True, eq=False)
class Packed:
    """The steps of E episodes: F frames, including the one of zeros before each episode.

    Attributes:
      units: uint8 (U, 168), the distinct units. Unit 0 is zeros.
      index: int32 (F, 42), the numbers of each frame's units.
      scalars: each of `SCALARS` by name, (F,); 0 where there is no step.
      episodes: `EPISODE` (E,), in time order.
      spans: `SPAN` (E,).
      folders: the folders that the arrays are mapped from, each with its `meta.json` text; empty if
        they live only in memory. If mapped, a copy in another process maps the same files.
    """

    units: Array
    index: Array
    scalars: dict[str, Array]
    episodes: Array
    spans: Array
    folders: tuple[tuple[pathlib.Path, str], ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays; those in files are shared by processes that map them."""
        arrays = (self.units, self.index, *self.scalars.values(), self.episodes, self.spans)
        return sum(array.nbytes for array in arrays)

    def __reduce__(self) -> Any:
        return (_map_again, (self.folders,)) if self.folders else super().__reduce__()


def join(parts: list[Packed]) -> Packed:
    """Puts several one after the other, with one table for all; a single one is not copied.

    Checkpoints of a game have many units in common. One copy of them takes less memory, and stays
    in the processor's caches.

    Raises:
      ValueError: there are more frames or units than an index can number.
    """
    if len(parts) == 1:
        return parts[0]
    frames = np.cumsum([0, *(len(part.index) for part in parts)])
    most, limit = max(frames[-1], sum(len(part.units) for part in parts)), np.iinfo(np.int32).max
    if most > limit:
        raise ValueError(
            f"Expected at most {limit:,} frames, and as many units, in one replay, got {most:,}."
        )
    units, numbers = unite([part.units for part in parts])
    index = np.empty((frames[-1], UNITS_PER_FRAME), np.int32)
    spans = []
    for part, new, start in zip(parts, numbers, frames, strict=False):
        # mode="clip" since the default, "raise", gathers into a buffer first and copies.
        np.take(new, part.index, out=index[start : start + len(part.index)], mode="clip")
        moved = part.spans.copy()
        moved["start"] += start
        spans.append(moved)
    return Packed(
        units,
        index,
        {name: np.concatenate([part.scalars[name] for part in parts]) for name in SCALARS},
        np.concatenate([part.episodes for part in parts]),
        np.concatenate(spans),
        tuple(folder for part in parts for folder in part.folders),
    )


def number_steps(lengths: Array) -> tuple[Array, Array]:
    """Returns, for each step of episodes of these lengths, its episode, and its index there.

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
    scalars = {name: arrays.pop(name) for name in SCALARS}
    return Packed(**arrays, scalars=scalars, folders=((folder.absolute(), meta),))


def _map_again(folders: tuple[tuple[pathlib.Path, str], ...]) -> Packed | _Gone:
    """Maps what another process has mapped; the files were checked there.

    Raises:
      ReplayChangedError: they are not there any more; in a worker process, when this is used.
    """

    def map_one(folder: pathlib.Path, meta: str) -> Packed:
        if json.loads((folder / META).read_text())["files"] != json.loads(meta)["files"]:
            raise ValueError("it was packed again")
        return map_folder(folder, meta)

    try:
        return join([map_one(*folder) for folder in folders])
    except (OSError, ValueError, KeyError, TypeError) as error:
        paths = ", ".join(str(folder) for folder, _ in folders)
        message = (
            f"{paths}: no longer what this replay was loaded from ({error}). Call load_replay "
            "again."
        )
        # An error while a task is unpickled ends a worker, and multiprocessing.Pool waits for its
        # result forever. One in the task itself reaches the caller.
        if multiprocessing.current_process().name != "MainProcess":
            return _Gone(message)
        raise ReplayChangedError(message) from error
