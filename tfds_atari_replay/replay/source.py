"""What random access to transitions and to sequences has in common."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import array_api_compat
import numpy as np

from tfds_atari_replay.replay.packed import Packed

Array = Any
"""An array of NumPy, PyTorch or JAX."""

Batch = dict[str, Array]


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


@dataclasses.dataclass(frozen=True, eq=False)
class Source(abc.ABC):
    """A sequence of items, which gives one of them or a batch.

    `source[7]` gives one item. `source[indices]` gives a batch, with any integers in any order,
    repeated or not: a list, or an array (N,) of NumPy, PyTorch or JAX; N may be 0. `source[3:9]` is
    a batch too, of the slice that a list would give. Each call allocates new memory. Sources can be
    pickled; other processes map the same files.

    Indices run from 0 to len(source) - 1. Negative ones do not count from the end, since they are
    mostly mistakes in arithmetic. They raise IndexError, as do numbers that are out of range,
    fractional or boolean, no index at all, or more than one dimension. Only the values of an array
    on a device are not looked at, which would wait for the device; see `put`.

    Attributes:
      packed: the frames.
      columns: named tuple of arrays; what they mean depends on the kind of source. The first has
        the length of the source.
      length: number of items.
    """

    packed: Packed = dataclasses.field(repr=False)
    columns: Any = dataclasses.field(repr=False)
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Batch:
        if isinstance(self.packed.units, np.ndarray):
            indices, is_single = _check_index(index, self.length)
        else:
            indices, is_single = _check_index_on_device(index, self.length, self.columns[0])
        batch = self.gather(self.arrays, indices)
        return {name: array[0] for name, array in batch.items()} if is_single else batch

    def __iter__(self) -> Iterator[Batch]:
        return (self[index] for index in range(self.length))

    @property
    def arrays(self) -> Arrays:
        """Everything that a batch is gathered from."""
        return Arrays(self.packed.units, self.packed.index, self.columns)

    def put(self, convert: Callable[[Any], Array]) -> Any:
        """Returns this source with its arrays converted, for example put on an accelerator.

        Batches are then gathered where the arrays are:

            source = source.put(jax.device_put)
            source = source.put(lambda array: torch.as_tensor(array, device="cuda"))

        Indices may be of the same library, or whatever else a source takes. The values of an array
        of that library are not looked at, which would wait for the device. If one is out of range
        or negative, PyTorch raises; JAX cannot, so `reward` is NaN, and so is `return_to_go`, with
        a `mask` of False.

        Args:
          convert: from a NumPy array to an array of PyTorch or JAX.
        """
        packed = dataclasses.replace(
            self.packed,
            units=convert(np.asarray(self.packed.units)),
            index=convert(np.asarray(self.packed.index)),
            folders=(),
        )
        columns = type(self.columns)(*(convert(column) for column in self.columns))
        return dataclasses.replace(self, packed=packed, columns=columns)

    def gather(self, arrays: Arrays, indices: Array) -> Batch:
        """Gathers a batch, for `jax.jit(source.gather)(source.arrays, indices)`.

        Args:
          arrays: `source.arrays`, an argument so that JAX does not compile them in.
          indices: integers (N,), from 0 to len(source) - 1; not checked, see `put`.
        """
        column = arrays.columns[0]
        if isinstance(column, np.ndarray):
            return self._gather(arrays, indices)
        xp: Any = array_api_compat.array_namespace(column)
        is_known = (indices >= 0) & (indices < column.shape[0])
        if not array_api_compat.is_jax_array(column):
            # PyTorch counts negative ones from the end, but raises for those that are too large.
            return self._gather(arrays, xp.where(is_known, indices, column.shape[0]))
        batch = self._gather(arrays, xp.where(is_known, indices, 0))
        for name, instead in (("reward", np.nan), ("return_to_go", np.nan), ("mask", False)):
            if name in batch:
                shape = (-1,) + (1,) * (batch[name].ndim - 1)
                batch[name] = xp.where(is_known.reshape(shape), batch[name], instead)
        return batch

    @abc.abstractmethod
    def _gather(self, arrays: Arrays, indices: Array) -> Batch:
        """Gathers a batch; all indices are in range."""


def default_integer(xp: Any) -> Any:
    """Returns an array library's usual integer type: int64, but int32 in JAX, unless it has x64."""
    return xp.__array_namespace_info__().default_dtypes()["integral"]


def _check_index(index: Any, length: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], bool]:
    """Returns indices (N,), and whether there was only a single one."""
    if isinstance(index, slice):
        index = np.arange(*index.indices(length))
    try:
        indices = np.asarray(index)
    except (TypeError, ValueError) as error:  # such as lists of different lengths
        raise IndexError(f"Expected integer indices, got {index!r}: {error}") from error
    if indices.size or hasattr(index, "dtype"):  # the type of an empty list says nothing
        _check_kind(indices.dtype.kind in "iu", indices.dtype, indices.shape, index)
    if not indices.size:
        return np.zeros(0, np.int64), False
    if not length:
        raise IndexError(f"Got the index {index!r}, but there is no item.")
    low, high = indices.min(), indices.max()
    if low < 0 or high >= length:
        raise IndexError(
            f"Expected indices from 0 to {length - 1:,}, got {low if low < 0 else high:,}. "
            "Negative ones do not count from the end."
        )
    return indices.reshape(-1).astype(np.int64, copy=False), not indices.ndim


def _check_index_on_device(index: Any, length: int, column: Array) -> tuple[Array, bool]:
    """Likewise, as an array where `column` is."""
    xp: Any = array_api_compat.array_namespace(column)
    is_array = array_api_compat.is_array_api_obj(index) and not isinstance(index, np.ndarray)
    if is_array and array_api_compat.array_namespace(index) is xp:
        _check_kind(xp.isdtype(index.dtype, "integral"), index.dtype, index.shape, index)
        indices, is_single = xp.reshape(index, (-1,)), not index.ndim
    else:
        indices, is_single = _check_index(index, length)
        indices = indices.copy()  # PyTorch takes no negative strides, and no read-only memory
    if array_api_compat.is_torch_array(column):
        return xp.asarray(indices, device=column.device), is_single
    return xp.asarray(indices), is_single


def _check_kind(is_integer: bool, dtype: Any, shape: tuple[int, ...], index: Any) -> None:
    if not is_integer:
        raise IndexError(
            f"Expected integer indices, got {dtype}{'' if shape else f': {index!r}'}. For a mask, "
            "give its np.flatnonzero."
        )
    if len(shape) > 1:
        raise IndexError(f"Expected one index, or indices of the shape (N,), got {tuple(shape)}.")
