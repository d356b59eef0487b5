"""What random access to transitions and to sequences has in common."""

from __future__ import annotations

import abc
import dataclasses
import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

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
    repeated or not: a list, a NumPy array (N,), a slice. Each call allocates new memory. Sources
    can be pickled; other processes map the same files.

    Indices run from 0 to len(source) - 1. Anything else raises IndexError: numbers out of range,
    negative, fractional or boolean, no index at all, or more than one dimension.

    Attributes:
      packed: the frames.
      columns: named tuple of arrays; what they mean depends on the kind of source.
      length: number of items.
    """

    packed: Packed = dataclasses.field(repr=False)
    columns: Any = dataclasses.field(repr=False)
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: Any) -> Batch:
        if not isinstance(self.packed.units, np.ndarray):
            return self.gather(self.arrays, index)
        indices, is_single = _check_index(index, self.length)
        batch = self.gather(self.arrays, indices)
        return {name: array[0] for name, array in batch.items()} if is_single else batch

    @property
    def arrays(self) -> Arrays:
        """Everything that a batch is gathered from."""
        return Arrays(self.packed.units, self.packed.index, self.columns)

    def put(self, convert: Callable[[Any], Array]) -> Any:
        """Returns this source with its arrays converted, for example put on an accelerator.

        Batches are then gathered where the arrays are, for indices of the same library:

            source = source.put(jax.device_put)
            source = source.put(lambda array: torch.as_tensor(array, device="cuda"))

        Indices are not checked there, which would wait for the device. PyTorch raises for those
        out of range; JAX makes `reward` NaN.

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

    @abc.abstractmethod
    def gather(self, arrays: Arrays, indices: Array) -> Batch:
        """Gathers a batch, for `jax.jit(source.gather)(source.arrays, indices)`.

        Args:
          arrays: `source.arrays`, an argument so that JAX does not compile them in.
          indices: integers (N,), from 0 to len(source) - 1; not checked.
        """


def default_integer(xp: Any) -> Any:
    """Returns an array library's usual integer type: int64, but int32 in JAX, unless it has x64."""
    return xp.__array_namespace_info__().default_dtypes()["integral"]


def _check_index(index: Any, length: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], bool]:
    """Returns indices (N,), and whether there was only a single one."""
    if isinstance(index, slice):
        index = np.arange(*index.indices(length))
    is_single = isinstance(index, numbers.Integral)
    indices = np.asarray(index)
    if indices.ndim == 0 and indices.dtype.kind in "iu":
        is_single = True
    if indices.dtype.kind not in "iu" and indices.size:
        raise IndexError(
            f"Expected integer indices, got {indices.dtype}"
            f"{f': {index!r}' if not indices.ndim else ''}. For a mask, give its np.flatnonzero."
        )
    if indices.ndim > 1 or not indices.size:
        raise IndexError(f"Expected one index, or indices of the shape (N,), got {indices.shape}.")
    if not length:
        raise IndexError(f"Got the index {index!r}, but there is no item.")
    low, high = indices.min(), indices.max()
    if low < 0 or high >= length:
        raise IndexError(
            f"Expected indices from 0 to {length - 1:,}, got {low if low < 0 else high:,}. "
            "Negative ones do not count from the end."
        )
    return indices.reshape(-1).astype(np.int64, copy=False), is_single
