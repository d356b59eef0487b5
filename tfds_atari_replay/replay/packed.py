"""Frames as rows of shared tables: what random access gathers from.

A frame is cut into units of two rows of pixels, and these into groups of seven. A table keeps each
distinct unit once, another each distinct group, as the numbers of its units; a frame is the numbers
of its 6 groups. Few rows change from frame to frame, and those that change come back again and
again, so real play takes 70 to 500 bytes a frame instead of 7,056. The tables fit into the
processor's caches, so gathering from them is faster than copying raw frames.

Each episode is preceded by one frame of zeros, which is what a stack holds before a reset.
"""

from __future__ import annotations

import dataclasses
import json
import mmap
import multiprocessing
import pathlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import fields
from tfds_atari_replay.prepared.reading import EPISODE
from tfds_atari_replay.replay.table import BYTES_PER_UNIT, GROUPS_PER_FRAME, UNITS_PER_GROUP

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
    "groups": (np.int32, (UNITS_PER_GROUP,)),
    "index": (np.int32, (GROUPS_PER_FRAME,)),
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
    """Replaces `Packed` in a worker that cannot map its files; raises when it is used."""

    def __init__(self, message: str):
        self._message = message

    def __getattr__(self, name: str) -> Any:
        raise ReplayChangedError(self._message)

    def __reduce__(self) -> Any:
        return _Gone, (self._message,)


class FrameArrays(NamedTuple):
    """F frames, of NumPy, PyTorch or JAX.

    Attributes:
      units: uint8 (U, 168), the distinct units. Unit 0 is zeros.
      groups: int32 (G, 7), the units of each distinct group. Group 0 is zeros.
      index: int32 (F, 6), the groups of each frame.
    """

    units: Any
    groups: Any
    index: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Packed:
    """A dataset's E episodes, and their F frames, including the one of zeros before each episode.

    Attributes:
      frames: all of them.
      scalars: each of `SCALARS` by name, (F,); 0 where there is no step.
      episodes: `EPISODE` (E,), in time order.
      spans: `SPAN` (E,).
      folder: the folder that the arrays are mapped from, and the text of its `meta.json`; None if
        they live only in memory. If mapped, a copy in another process maps the same files.
    """

    frames: FrameArrays
    scalars: dict[str, Array]
    episodes: Array
    spans: Array
    folder: tuple[pathlib.Path, str] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays; those in files are shared by processes that map them."""
        arrays = (*self.frames, *self.scalars.values(), self.episodes, self.spans)
        return sum(array.nbytes for array in arrays)

    def __reduce__(self) -> Any:
        return (_map_again, self.folder) if self.folder else super().__reduce__()


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
        mapped = np.load(folder / f"{name}.npy", mmap_mode="c")
        if name in FrameArrays._fields and hasattr(mmap, "MADV_RANDOM"):
            # If memory is short, reading ahead would push out what is needed.
            mapped._mmap.madvise(mmap.MADV_RANDOM)
        array = np.asarray(mapped)
        if array.dtype != dtype or array.shape[1:] != row_shape:
            raise ValueError(f"{name}.npy holds {array.dtype} {array.shape}")
        arrays[name] = array
    return Packed(
        FrameArrays(*(arrays[name] for name in FrameArrays._fields)),
        {name: arrays[name] for name in SCALARS},
        arrays["episodes"],
        arrays["spans"],
        (folder.absolute(), meta),
    )


def _map_again(folder: pathlib.Path, meta: str) -> Packed | _Gone:
    """Maps files that another process has checked and mapped.

    Raises:
      ReplayChangedError: they are gone or have changed. In a worker process, the result raises it
        when it is used.
    """
    try:
        if json.loads((folder / META).read_text())["files"] != json.loads(meta)["files"]:
            raise ValueError("it was packed again")
        return map_folder(folder, meta)
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = (
            f"{folder}: no longer what this replay was loaded from ({error}). Call load_replay "
            "again."
        )
        # An error while a task is unpickled ends a worker, and multiprocessing.Pool waits for its
        # result forever. One in the task itself reaches the caller.
        if multiprocessing.current_process().name != "MainProcess":
            return _Gone(message)
        raise ReplayChangedError(message) from error
