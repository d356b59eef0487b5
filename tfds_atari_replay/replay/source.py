"""What random access to transitions and to sequences has in common."""

from __future__ import annotations

import abc
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar, cast

import array_api_compat
import numpy as np
import numpy.typing as npt

from tfds_atari_replay import fields, notebooks
from tfds_atari_replay.replay.batches import Array
from tfds_atari_replay.replay.joined import Joined
from tfds_atari_replay.replay.packed import FrameArrays

Batch = dict[str, Array]

ColumnsT = TypeVar("ColumnsT", bound=tuple[Any, ...])
"""A named tuple of arrays, or of dicts of arrays."""

BatchT = TypeVar("BatchT", bound=Mapping[str, Any])
"""A batch, or an item."""

# Items that are listed at a time.
_ITEMS_AT_ONCE = 2**20

_SourceT = TypeVar("_SourceT", bound="Source[Any, Any]")


class Arrays(NamedTuple):
    """Everything that a batch is gathered from; a pytree of JAX.

    Attributes:
      parts: the frames of each dataset; once they are put elsewhere, of all datasets as one.
      columns: a named tuple of arrays that belong to the kind of source.
    """

    parts: tuple[FrameArrays, ...]
    columns: Any


class Labels(NamedTuple):
    """Where the items of E episodes are from, each int32 (E,).

    Attributes:
      first: the episode's first item. An episode without items has the next one's.
      dataset: the dataset that it is in.
      start: the frame of its first step.
    """

    first: Array
    dataset: Array
    start: Array


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Source(abc.ABC, Generic[ColumnsT, BatchT]):
    """A sequence of items, which gives one of them or a batch.

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
      chosen: integers (E,), which of them have items here; None for all.
      put_elsewhere: the arrays after `put`; None before.
    """

    joined: Joined
    chosen: npt.NDArray[Any] | None
    put_elsewhere: Arrays | None = dataclasses.field(default=None, kw_only=True)

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
        about = {field.name for field in dataclasses.fields(Source)}
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in about
        }

    def __getstate__(self) -> dict[str, Any]:
        """The arrays stay behind: other processes make them again."""
        state = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**state, "_length": self._length}

    def _where(self) -> str:
        """Says which library's the arrays are, and on which device."""
        if self.put_elsewhere is None:
            return "NumPy"
        column = self.put_elsewhere.columns[0]
        library = "JAX" if array_api_compat.is_jax_array(column) else "PyTorch"
        return f"{library}, {array_api_compat.device(column)}"

    def __iter__(self) -> Iterator[BatchT]:
        return (self[index] for index in range(self._length))

    @property
    def columns(self) -> ColumnsT:
        """Named tuple of arrays; what they mean depends on the kind of source."""
        columns: ColumnsT = self.arrays.columns
        return columns

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

        Several datasets are put side by side first, for which this needs as much memory again.

        Args:
          convert: from a NumPy array to an array of PyTorch or JAX.

        Raises:
          ValueError: there are more units than an array can number.
        """
        arrays = Arrays((self.joined.unite(),), self.columns)
        return dataclasses.replace(
            self, joined=Joined((), ()), chosen=None, put_elsewhere=_convert(arrays, convert)
        )

    def take(self, indices: Any, out: BatchT | None = None) -> BatchT:
        """Returns `source[indices]`, in the memory of an earlier batch if that is given.

        A large batch of new memory takes twice as long as one whose memory is used again. The
        arrays may also be PyTorch's in pinned memory.

        Args:
          indices: as for `source[indices]`, N of them.
          out: a batch of N items, as `source[indices]` or `take` gives; arrays of NumPy, or of
            PyTorch on the CPU. What it holds is overwritten.

        Returns:
          `out`, if it is given.

        Raises:
          IndexError: they are no indices, or are out of range.
          TypeError: `out` is given and this source was put elsewhere.
          ValueError: an array of `out` is missing, or cannot hold this batch.
        """
        if out is None:
            return self[indices]
        if self.put_elsewhere is not None:
            raise TypeError(f"out is for sources in NumPy's memory, this is {self!r}")
        indices, is_single = _resolve(indices, self._length, self.arrays.parts[0].units)
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
          IndexError: they are no indices, or are out of range and not on a device.
        """
        units = arrays.parts[0].units
        indices, is_single = _resolve(indices, self._length, units)
        batch = self._gather(arrays, indices)
        if array_api_compat.is_jax_array(units):
            batch = _mark_out_of_range(batch, indices < self._length)
        if is_single:
            batch = {name: array[0] for name, array in batch.items()}
        return cast("BatchT", batch)

    @abc.abstractmethod
    def _list_items(self) -> ColumnsT:
        """Lists the items: the columns, in NumPy."""

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
    return None if tree is None else convert(tree)


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


def take_scalars(xp: Any, scalars: dict[str, Array], indices: Array) -> Batch:
    """Takes scalar fields of steps, (N,), as batches have them.

    Args:
      xp: the array library's namespace.
      scalars: by name.
      indices: integers (N,).
    """
    taken = {name: column[indices] for name, column in scalars.items()}
    for name in fields.INTEGERS & taken.keys():
        taken[name] = xp.astype(taken[name], default_integer(xp))
    return taken


def make_labels(joined: Joined, rows: npt.NDArray[Any], first: npt.NDArray[Any]) -> Labels:
    """Says of episodes where they are from.

    Args:
      joined: the episodes.
      rows: integers (E,), which of them.
      first: integers (E,), the first item of each.
    """
    columns = (first, joined.dataset[rows], joined.spans["start"][rows])
    return Labels(*(column.astype(joined.frame_dtype) for column in columns))


def label_items(xp: Any, labels: Labels, episode: Array, frame: Array) -> Batch:
    """Says of items where they are from, (N,) each.

    Args:
      xp: the array library's namespace.
      labels: of the episodes.
      episode: integers (N,), the episode of each item.
      frame: integers (N,), the frame of each.
    """
    found = {
        "dataset": xp.take(labels.dataset, episode, axis=0),
        "episode": episode,
        "step": frame - xp.take(labels.start, episode, axis=0),
    }
    return {name: xp.astype(array, default_integer(xp)) for name, array in found.items()}


def find_episodes(xp: Any, first: Array, indices: Array) -> Array:
    """Returns the episodes (N,) of items (N,), given the first item of each episode, (E,)."""
    return xp.searchsorted(first, xp.astype(indices, first.dtype), side="right") - 1


def number_frames(first: npt.NDArray[Any], counts: npt.NDArray[Any], dtype: Any) -> Any:
    """Returns the numbers of frames that lie in stretches, one after the other.

    first 5, 20, counts 2, 3  ->  5 6 20 21 22
    """
    before = counts.cumsum() - counts
    frames = np.arange(counts.sum(), dtype=dtype)
    frames += np.repeat((first - before).astype(dtype), counts)
    return frames


def in_groups(
    first: npt.NDArray[Any], counts: npt.NDArray[Any]
) -> Iterator[tuple[slice, slice, npt.NDArray[Any]]]:
    """Goes through the items of E episodes, some at a time, so that temporary memory stays small.

    Args:
      first: integers (E,), the step of each episode's first item.
      counts: integers (E,), items of each.

    Yields:
      Which episodes, which items, and the step of each of these items in its episode, int64.
    """
    stops = counts.cumsum()
    cuts = np.flatnonzero(np.diff(stops // _ITEMS_AT_ONCE)) + 1
    for begin, end in itertools.pairwise([0, *cuts.tolist(), len(counts)]):
        some = slice(begin, end)
        within = number_frames(first[some], counts[some], np.int64)
        yield some, slice(stops[end - 1] - len(within), stops[end - 1]), within


def default_integer(xp: Any) -> Any:
    """Returns an array library's usual integer type: int64, but int32 in JAX, unless it has x64."""
    return xp.__array_namespace_info__().default_dtypes()["integral"]


def _resolve(index: Any, length: int, units: Array) -> tuple[Array, bool]:
    """Applies the rule that `Source` states.

    Args:
      index: what the caller gave.
      length: number of items.
      units: an array of the library, and on the device, that the result is for.

    Returns:
      Integers (N,), and whether the index was a single one. From 0 to length - 1, but if the
      numbers are on a device, any that are out of range are at least `length`.
    """
    if isinstance(index, slice):
        index = np.arange(*index.indices(length))
    if isinstance(units, np.ndarray):
        return _resolve_on_host(index, length)
    xp: Any = array_api_compat.array_namespace(units)
    # JAX moves what is on no particular device, also to where several devices share the units.
    device = None if array_api_compat.is_jax_array(units) else array_api_compat.device(units)
    if not _is_on_device(index, xp):
        indices, is_single = _resolve_on_host(index, length)
        return xp.asarray(indices, dtype=default_integer(xp), device=device), is_single
    _check_kind(index, is_integer=xp.isdtype(index.dtype, "integral"))
    indices = xp.asarray(xp.reshape(index, (-1,)), dtype=default_integer(xp), device=device)
    # Both libraries would count negative ones from the end, PyTorch on some devices only.
    return xp.where(indices < 0, length, indices), not index.ndim


def _is_on_device(index: Any, xp: Any) -> bool:
    """Returns whether an index is an array of this library whose numbers take waiting for."""
    if array_api_compat.is_torch_array(index) and index.device.type == "cpu":
        return False
    return array_api_compat.is_array_api_obj(index) and (
        array_api_compat.array_namespace(index) is xp
    )


def _resolve_on_host(index: Any, length: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], bool]:
    """Does the same in NumPy, and raises IndexError if a number is out of range."""
    try:
        indices = np.asarray(index)
    except (TypeError, ValueError) as error:  # such as a list of lists of different lengths
        raise IndexError(f"Expected integer indices, got {index!r} ({error}).") from error
    if not indices.size and not hasattr(index, "dtype"):
        indices = indices.astype(np.int64)  # an empty list becomes float64
    _check_kind(indices, is_integer=indices.dtype.kind in "iu")
    if indices.size:
        low, high = indices.min(), indices.max()
        if not length:
            raise IndexError(f"Got the index {index!r}, but there is no item.")
        if low < 0 or high >= length:
            raise IndexError(
                f"Expected indices from 0 to {length - 1:,}, got {low if low < 0 else high:,}. "
                "Indices do not count from the end; slices do."
            )
    # A copy, since PyTorch takes neither negative strides nor memory that cannot be written.
    return indices.reshape(-1).astype(np.int64), not indices.ndim


def _check_kind(index: Array, *, is_integer: bool) -> None:
    """Checks all that does not depend on the numbers."""
    if not is_integer:
        raise IndexError(
            f"Expected integer indices, got {index.dtype}{'' if index.ndim else f': {index}'}."
            + (" For a mask, give np.flatnonzero(mask)." if "bool" in str(index.dtype) else "")
        )
    if index.ndim > 1:
        raise IndexError(
            f"Expected one index, or indices of the shape (N,), got {tuple(index.shape)}. Give "
            "indices.reshape(-1)."
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
