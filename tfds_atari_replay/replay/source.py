"""What random access to transitions and to sequences has in common."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import array_api_compat
import numpy as np
import numpy.typing as npt

from tfds_atari_replay import fields
from tfds_atari_replay.replay.packed import Packed

Array = Any
"""An array of NumPy, PyTorch or JAX."""

Batch = dict[str, Array]

ColumnsT = TypeVar("ColumnsT", bound=tuple[Any, ...])
"""A named tuple of arrays, or of dicts of arrays."""

_SourceT = TypeVar("_SourceT", bound="Source[Any]")


class Arrays(NamedTuple):
    """Everything that a batch is gathered from; a pytree of JAX.

    Attributes:
      units: uint8 (U, 168), distinct pairs of rows of pixels.
      index: int32 (F, 42), the units of each frame.
      columns: a named tuple of arrays that belong to the kind of source.
    """

    units: Array
    index: Array
    columns: Any


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Source(abc.ABC, Generic[ColumnsT]):
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

    Each call allocates new memory. Sources can be pickled; other processes map the same files,
    whatever their current folder.

    Attributes:
      packed: the frames.
      columns: named tuple of arrays; what they mean depends on the kind of source.
      length: number of items.
    """

    packed: Packed
    columns: ColumnsT
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Batch:
        return self.gather(self.arrays, index)

    def __repr__(self) -> str:
        settings = "".join(
            f", {field.name}={getattr(self, field.name)}"
            for field in dataclasses.fields(self)
            if field.name not in ("packed", "columns", "length")
        )
        return f"{type(self).__name__}({self.length:,} items{settings}; {self._where()})"

    def _where(self) -> str:
        """Says which library's the arrays are, and on which device."""
        column = self.columns[0]
        if isinstance(column, np.ndarray):
            return "NumPy"
        library = "JAX" if array_api_compat.is_jax_array(column) else "PyTorch"
        return f"{library}, {array_api_compat.device(column)}"

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(self.length))

    @property
    def arrays(self) -> Arrays:
        """Everything that a batch is gathered from."""
        return Arrays(self.packed.units, self.packed.index, self.columns)

    def put(self: _SourceT, convert: Callable[[npt.NDArray[Any]], Array]) -> _SourceT:
        """Returns this source with its arrays converted, for example put on an accelerator.

        Batches are then gathered where the arrays are:

            source = source.put(jax.device_put)
            source = source.put(lambda array: torch.as_tensor(array, device="cuda"))

        Args:
          convert: from a NumPy array to an array of PyTorch or JAX.
        """
        packed = dataclasses.replace(
            self.packed,
            units=convert(np.asarray(self.packed.units)),
            index=convert(np.asarray(self.packed.index)),
            folders=(),
        )
        columns = type(self.columns)(*(_convert(column, convert) for column in self.columns))
        return dataclasses.replace(self, packed=packed, columns=columns)

    def gather(self, arrays: Arrays, indices: Any) -> Batch:
        """Returns `source[indices]`, for `jax.jit(source.gather)(source.arrays, indices)`.

        Args:
          arrays: `source.arrays`, an argument so that JAX does not compile them in.
          indices: as for `source[indices]`.

        Raises:
          IndexError: they are no indices, or are out of range and not on a device.
        """
        indices, is_single = _resolve(indices, self.length, arrays.units)
        batch = self._gather(arrays, indices)
        if array_api_compat.is_jax_array(arrays.units):
            batch = _mark_out_of_range(batch, indices < self.length)
        return {name: array[0] for name, array in batch.items()} if is_single else batch

    @abc.abstractmethod
    def _gather(self, arrays: Arrays, indices: Array) -> Batch:
        """Gathers a batch, for integers (N,) where the arrays are."""


def _convert(column: Any, convert: Callable[[Any], Array]) -> Any:
    """Converts an array, or each in a dict."""
    if isinstance(column, dict):
        return {name: convert(array) for name, array in column.items()}
    return convert(column)


def take_scalars(xp: Any, scalars: dict[str, Array], indices: Array) -> Batch:
    """Takes scalar fields of steps, (N,), as batches have them.

    Args:
      xp: the array library's namespace.
      scalars: by name.
      indices: integers (N,).
    """
    taken = {name: xp.take(column, indices, axis=0) for name, column in scalars.items()}
    for name in fields.INTEGERS & taken.keys():
        taken[name] = xp.astype(taken[name], default_integer(xp))
    return taken


def label_episodes(dataset: Array, episode: Array, step: Array) -> dict[str, Array]:
    """Says of items where they are from, (N,) each.

    Args:
      dataset: integers (E,), the dataset of each episode of the replay.
      episode: integers (N,), the rows of `replay.episodes`.
      step: integers (N,), places among that episode's logged steps.
    """
    labels = {"dataset": dataset[episode], "episode": episode, "step": step}
    return {name: column.astype(np.int32) for name, column in labels.items()}


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
