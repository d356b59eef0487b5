"""The base class of sources: what an index gives, in NumPy and on devices."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar, cast

import array_api_compat
import numpy as np
import numpy.typing as npt

from tfds_atari_replay import notebooks
from tfds_atari_replay.replay.batches import Array, Batch
from tfds_atari_replay.replay.indices import resolve
from tfds_atari_replay.replay.joined import Joined
from tfds_atari_replay.replay.packed import FrameArrays
from tfds_atari_replay.windows.stacking import Stacking

BatchT = TypeVar("BatchT", bound=Mapping[str, Any])
"""A batch, or an item."""

_SourceT = TypeVar("_SourceT", bound="Source[Any]")


class Arrays(NamedTuple):
    """Everything that a batch is gathered from; a pytree of JAX.

    Attributes:
      parts: the frames of each dataset; after `put`, those of all datasets as one.
      columns: a named tuple of arrays that belong to the kind of source.
    """

    parts: tuple[FrameArrays, ...]
    columns: Any


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Source(abc.ABC, Generic[BatchT]):
    """A sequence of items, read one at a time or in batches.

    An index means the same on every device and in every library:

        source[7]: one item, for an integer of Python or NumPy, or a 0-d array of integers.
        source[indices]: a batch, for integers (N,) in any order, repeated or not: a list, or an
          array of NumPy, PyTorch or JAX. `source[[]]` is an empty batch.
        source[-3:]: a batch, for a slice with Python's own meaning; it may be empty.

    Integers run from 0 to len(source) - 1. Negative ones do not count from the end, since a wrong
    sign in index arithmetic would then pass unnoticed. Integers out of range raise IndexError, and
    so do booleans, masks, floats, None and arrays of more than one dimension.

    After `put`, indices are moved to the device too. The numbers of those already there are not
    checked, since that would wait for the device. If they are out of range, PyTorch raises an error
    of its own. JAX cannot raise: all floats of such an item are NaN, its `mask` is False, and the
    rest means nothing.

    Each call gives new memory; `take` fills that of an earlier batch. Sources can be pickled; other
    processes map the same files, whatever their current folder.

    Attributes:
      joined: the episodes of the replay.
      stack_size: frames per observation.
      axis: of the frames in an observation, 0 or -1.
      reward: "clipped" or "unclipped".
      labels: whether items say where they are from.
      put_elsewhere: the arrays after `put`; None before.
    """

    joined: Joined
    stack_size: int
    axis: int
    reward: str
    labels: bool
    put_elsewhere: Arrays | None = None

    def __post_init__(self) -> None:
        len(self)  # Lists the items. A copy in another process does so when it is used.

    def __len__(self) -> int:
        return self._length

    @functools.cached_property
    def _length(self) -> int:
        return len(self.arrays.columns.frame)

    def __getitem__(self, index: Any) -> BatchT:
        return self.gather(self.arrays, index)

    def __getitems__(self, indices: Any) -> list[BatchT]:
        """Returns a list of items, which PyTorch's DataLoader asks for and makes a batch of."""
        batch = self[indices]
        items = (
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        )
        return cast("list[BatchT]", list(items))

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value}" for name, value in self._settings().items())
        return f"{type(self).__name__}({self._length:,} items{settings}; {self._where()})"

    def _repr_html_(self) -> str:
        """A table, for notebooks: settings, and an item's fields."""
        settings = {name: str(value) for name, value in self._settings().items()}
        fields_of_items = {
            f"[{name!r}]": f"{array.dtype} {tuple(array.shape[1:]) or ''}"
            for name, array in self._no_items.items()
        }
        return notebooks.to_table(
            {"items": f"{self._length:,}", "arrays": self._where(), **settings, **fields_of_items}
        )

    def _settings(self) -> dict[str, Any]:
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("joined", "put_elsewhere")
        }

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out the arrays, which other processes derive again."""
        state = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**state, "_length": self._length}

    def _where(self) -> str:
        """Returns which library has the arrays, and on which device."""
        if self.put_elsewhere is None:
            return "NumPy"
        column = self.put_elsewhere.columns[0]
        library = "JAX" if array_api_compat.is_jax_array(column) else "PyTorch"
        return f"{library}, {array_api_compat.device(column)}"

    def __iter__(self) -> Iterator[BatchT]:
        return (self[index] for index in range(self._length))

    @property
    def arrays(self) -> Arrays:
        """Everything that a batch is gathered from."""
        return self._arrays if self.put_elsewhere is None else self.put_elsewhere

    @functools.cached_property
    def _arrays(self) -> Arrays:
        frames = (FrameArrays(*map(np.asarray, part.frames)) for part in self.joined.parts)
        return Arrays(tuple(frames), self._list_items())

    @functools.cached_property
    def _no_items(self) -> Mapping[str, Array]:
        return self[[]]

    def put(self: _SourceT, convert: Callable[[npt.NDArray[Any]], Array]) -> _SourceT:
        """Returns this source with its arrays converted, for example put on an accelerator.

        Batches are then gathered where the arrays are:

            source = source.put(jax.device_put)
            source = source.put(lambda array: torch.as_tensor(array, device="cuda"))

        Several datasets are joined first, which needs as much memory again.

        Args:
          convert: from a NumPy array to an array of PyTorch or JAX.

        Raises:
          ValueError: there are more units than an array can number.
        """
        arrays = Arrays((self.joined.unite(),), self.arrays.columns)
        return dataclasses.replace(
            self, joined=Joined((), ()), put_elsewhere=_convert(arrays, convert)
        )

    def take(self, indices: Any, out: BatchT | None = None) -> BatchT:
        """Returns `source[indices]`, in the memory of an earlier batch if one is given.

        A large batch takes twice as long in new memory as in memory that is used again.

        Args:
          indices: as for `source[indices]`, N of them.
          out: a batch of N items, as `source[indices]` or `take` gives; arrays of NumPy, or of
            PyTorch on the CPU, pinned or not. They are overwritten.

        Returns:
          `out`, if it is given.

        Raises:
          IndexError: an index is invalid or out of range.
          TypeError: `out` is given and this source was put elsewhere.
          ValueError: an array of `out` is missing, or cannot hold this batch.
        """
        if out is None:
            return self[indices]
        if self.put_elsewhere is not None:
            raise TypeError(f"out is for sources in NumPy's memory, this is {self!r}")
        indices, is_single = resolve(indices, self._length, self.arrays.parts[0].units)
        if is_single:
            raise ValueError("out is for a batch: give a list or an array of indices")
        room = {name: np.asarray(array) for name, array in out.items()}
        _check_room(room, self._no_items, len(indices))
        batch = self._gather(self.arrays, indices, room)
        for name, array in batch.items():
            if array is not room[name]:
                room[name][...] = array
        return out

    def gather(self, arrays: Arrays, indices: Any) -> BatchT:
        """Returns `source[indices]`, for `jax.jit(source.gather)(source.arrays, indices)`.

        Args:
          arrays: `source.arrays`, an argument so that JAX does not compile them in.
          indices: as for `source[indices]`.

        Raises:
          IndexError: an index is invalid, or out of range and not on a device.
        """
        units = arrays.parts[0].units
        indices, is_single = resolve(indices, self._length, units)
        batch = self._gather(arrays, indices)
        if array_api_compat.is_jax_array(units):
            batch = _mark_out_of_range(batch, indices < self._length)
        if is_single:
            batch = {name: array[0] for name, array in batch.items()}
        return cast("BatchT", batch)

    @property
    def _stacking(self) -> Stacking:
        return Stacking(self.stack_size, self.axis)

    @abc.abstractmethod
    def _list_items(self) -> Any:
        """Lists the items: the columns, in NumPy; `frame` has one row for each item."""

    @abc.abstractmethod
    def _gather(self, arrays: Arrays, indices: Array, room: Batch | None = None) -> Batch:
        """Gathers a batch, for integers (N,) where the arrays are.

        Args:
          arrays: as in `gather`.
          indices: of the items.
          room: NumPy's arrays by name. Frames are gathered into them.
        """


def _convert(tree: Any, convert: Callable[[Any], Array]) -> Any:
    """Converts all arrays in named tuples and dicts."""
    if isinstance(tree, dict):
        return {name: convert(array) for name, array in tree.items()}
    if isinstance(tree, tuple):
        parts = [_convert(part, convert) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    return convert(tree)


def _check_room(room: Batch, expected: Mapping[str, Array], count: int) -> None:
    """Checks that arrays can hold a batch.

    Args:
      room: the arrays.
      expected: a batch without items.
      count: of the items.

    Raises:
      ValueError: one is missing, or cannot hold it.
    """
    if room.keys() != expected.keys():
        raise ValueError(f"out must have {', '.join(expected)} (got {', '.join(room)})")
    for name, array in expected.items():
        wanted, got = (array.dtype, (count, *array.shape[1:])), (room[name].dtype, room[name].shape)
        if wanted != got or not room[name].flags.writeable:
            state = "" if room[name].flags.writeable else ", which cannot be written"
            raise ValueError(
                f"out[{name!r}] must be {wanted[0]} {wanted[1]} (got {got[0]} {got[1]}{state})"
            )


def _mark_out_of_range(batch: Batch, is_known: Array) -> Batch:
    """Makes floats NaN and `mask` False where an index was out of range."""
    xp: Any = array_api_compat.array_namespace(is_known)

    def mark(name: str, array: Array) -> Array:
        known = xp.reshape(is_known, (-1,) + (1,) * (array.ndim - 1))
        if name == "mask":
            return array & known
        is_float = xp.isdtype(array.dtype, "real floating")
        return xp.where(known, array, xp.nan) if is_float else array

    return {name: mark(name, array) for name, array in batch.items()}
