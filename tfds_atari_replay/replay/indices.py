"""Which items an index means, on the host and on devices: the rule that `Source` states."""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np
import numpy.typing as npt

from tfds_atari_replay.replay.batches import Array


def resolve(index: Any, length: int, units: Array) -> tuple[Array, bool]:
    """Turns what a caller gave as an index into integers (N,).

    Args:
      index: an integer, a list or an array of them, or a slice.
      length: number of items.
      units: an array of the library, and on the device, that the result is for.

    Returns:
      Integers (N,), and whether the index was a single one. They lie from 0 to length - 1, except
      that any already on a device that are out of range become `length` or more.

    Raises:
      IndexError: it is no such index, or out of range and not on a device.
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


def default_integer(xp: Any) -> Any:
    """Returns an array library's usual integer type: int64, but int32 in JAX without x64."""
    return xp.__array_namespace_info__().default_dtypes()["integral"]


def _is_on_device(index: Any, xp: Any) -> bool:
    """Returns whether an index is this library's array, and reading its numbers means waiting."""
    if array_api_compat.is_torch_array(index) and index.device.type == "cpu":
        return False
    return array_api_compat.is_array_api_obj(index) and (
        array_api_compat.array_namespace(index) is xp
    )


def _resolve_on_host(index: Any, length: int) -> tuple[npt.NDArray[np.int64], bool]:
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
    """Raises IndexError for a wrong dtype or shape."""
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
