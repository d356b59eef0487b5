"""The feature connector that stores a sequence of steps in blocks."""

from __future__ import annotations

import concurrent.futures
import functools
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow_datasets as tfds

from tfds_atari_replay import _tfds, blocks
from tfds_atari_replay._extras import tensorflow as tf
from tfds_atari_replay.threads import start_each

# A thread packs several blocks at a time: if threads switch too often, Python leaves cores idle.
_FRAMES_AT_ONCE = 4 * blocks.BLOCK_LENGTH

Array = npt.NDArray[Any]
TensorInfo: TypeAlias = tfds.features.TensorInfo


class EncodedSteps(dict[str, Any]):
    """The stored fields of an episode's steps, by name, of which some may be unfinished.

    Blocks of frames are lists of futures; a column is one, or a function that returns it.
    """

    def wait(self) -> dict[str, Any]:
        """Returns the finished fields."""
        return {name: _wait_for(stored) for name, stored in self.items()}


def _wait_for(stored: Any) -> Any:
    if isinstance(stored, list):
        return [block for blocks in stored for block in blocks.result()]
    return stored.result() if isinstance(stored, concurrent.futures.Future) else stored()


class Steps(tfds.features.Dataset):
    """A `tfds.features.Dataset` of steps, stored compactly.

    Declare and read it like `tfds.features.Dataset`: TensorFlow gets a nested `tf.data.Dataset` of
    single steps, NumPy a sequence of them. Only the storage differs: fields with a shape (frames)
    are stored in blocks, scalars in one column each; see `blocks`.

    When generating, give an iterable of steps or a dict of columns, as for
    `tfds.features.Dataset`. A column of frames may also be an iterator of arrays (n, 84, 84, 1)
    with any n, so that a long episode need not fit in memory. A column of scalars may be a function
    that returns it, which is called last. The result of `start_encoding` is accepted too.

    `decoders={"steps": tfds.decode.SkipDecoding()}` gives the stored fields: bytes (num_blocks,)
    for frames, bytes () for a scalar column.
    """

    def get_serialized_info(self) -> dict[str, TensorInfo]:
        return {
            name: TensorInfo(shape=(None,) if info.shape else (), dtype=np.object_, dataset_lvl=1)
            for name, info in self._fields().items()
        }

    def encode_example(self, example_ds: Any) -> dict[str, Any]:
        """Packs steps.

        Raises:
          ValueError: fields are missing or unknown, have the wrong dtype or shape, or differ in
            length.
        """
        started = isinstance(example_ds, EncodedSteps)
        encoded: EncodedSteps = example_ds if started else self.start_encoding(example_ds)
        return encoded.wait()

    def start_encoding(self, example_ds: Any) -> EncodedSteps:
        """Like `encode_example`, but does not wait until all steps are packed.

        The next episode can be read meanwhile.
        """
        fields = self._fields()
        columns: Mapping[str, Any] = (
            example_ds if isinstance(example_ds, Mapping) else _to_columns(example_ds, fields)
        )
        if set(columns) != set(fields):
            raise ValueError(f"Steps have the fields {sorted(fields)}, got {sorted(columns)}.")
        lengths: dict[str, int] = {}
        encoded = EncodedSteps()
        scalars: dict[str, Array] = {}

        def check(name: str, column: Any) -> Array:
            checked = _checked(name, np.asarray(column), fields[name], ndim=1)
            lengths[name] = len(checked)
            return checked

        def pack_last(name: str, make: Callable[[], Any]) -> bytes:
            column = check(name, make())
            _check_lengths(lengths)
            return blocks.pack_column(column)

        for name, info in fields.items():
            if info.shape:
                lengths[name], encoded[name] = _start_frames(name, columns[name], info)
            elif callable(columns[name]):
                encoded[name] = functools.partial(pack_last, name, columns[name])
            else:
                scalars[name] = check(name, columns[name])
        _check_lengths(lengths)
        encoded.update(zip(scalars, start_each(blocks.pack_column, scalars.values()), strict=True))
        return encoded

    def decode_example(self, serialized_example: Any, decoders: Any = None) -> tf.data.Dataset:
        """Returns the steps as a dataset of known length, which unpacks a block at a time.

        No `tf.data.Options` can reorder the steps or mix up their fields.
        """
        _refuse_decoders(decoders)
        fields = self._fields()
        stored = {name: serialized_example[name] for name, info in fields.items() if info.shape}
        scalars = {
            name: blocks.unpack_column(serialized_example[name], info)
            for name, info in fields.items()
            if not info.shape
        }
        if not stored:
            return tf.data.Dataset.from_tensor_slices(scalars)

        def unpack(position: tf.Tensor, stored: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            # A block knows its position, so it finds its scalars in whatever order blocks come.
            steps, index = {}, tf.constant(0)
            for name, block in stored.items():
                steps[name], geometry = blocks.unpack_frames(block, fields[name])
                index = position * geometry.block_length + tf.range(tf.shape(steps[name])[0])
            return {**steps, **{name: tf.gather(column, index) for name, column in scalars.items()}}

        name, some = next(iter(stored.items()))
        length = (
            tf.size(next(iter(scalars.values()))) if scalars else _count_steps(some, fields[name])
        )
        # Whole blocks are unpacked and then cut into steps by one C++ op: zipping single steps in a
        # Python function costs a tenth of the speed. At most as many blocks are unpacked at a time
        # as there are cores, so memory does not grow with the episode. Without
        # `deterministic=True`, the option `deterministic = False` could reorder blocks.
        return (
            tf.data.Dataset.from_tensor_slices((tf.range(tf.size(some)), stored))
            .map(unpack, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .unbatch()
            .apply(tf.data.experimental.assert_cardinality(tf.cast(length, tf.int64)))
        )

    def decode_example_np(self, serialized_example: Any, decoders: Any = None) -> Any:
        _refuse_decoders(decoders)
        columns = {
            name: (_FrameColumn if info.shape else blocks.unpack_column_np)(
                serialized_example[name], info
            )
            for name, info in self._fields().items()
        }
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1:
            raise ValueError(f"The stored fields of steps differ in length: {sorted(lengths)}.")
        return _tfds.PythonDataSource(
            length=lengths.pop(), getitem=functools.partial(_step_at, columns)
        )

    def _fields(self) -> dict[str, TensorInfo]:
        return dict(self.feature.get_tensor_info())


_tfds.let_partial_decoding_select_from(Steps)


class _FrameColumn:
    """The frames of an episode by index. Caches the last unpacked block."""

    def __init__(self, stored: Iterable[bytes], info: TensorInfo):
        self._stored = list(stored)
        self._info = info
        self._unpacked: tuple[int, Array] | None = None
        # The length of all blocks but the last.
        self._block_length = len(self._block(0)) if self._stored else 0

    def __len__(self) -> int:
        if not self._stored:
            return 0
        last = len(self._stored) - 1
        return last * self._block_length + len(self._block(last))

    def __getitem__(self, index: int) -> Array:
        block, offset = divmod(index, self._block_length)
        # A copy, or a single frame would keep its whole block in memory.
        frame: Array = self._block(block)[offset].copy()
        return frame

    def _block(self, index: int) -> Array:
        if self._unpacked is None or self._unpacked[0] != index:
            block = blocks.unpack_block_np(self._stored[index], self._info)
            self._unpacked = index, blocks.frames_of_np(block, self._info)
        return self._unpacked[1]


def _step_at(columns: Mapping[str, Any], index: int) -> dict[str, Any]:
    length = len(next(iter(columns.values())))
    if not -length <= index < length:
        raise IndexError(f"step {index} of an episode of {length}")
    return {name: column[index % length] for name, column in columns.items()}


def _check_lengths(lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        raise ValueError(f"All fields of steps must be equally long, got {dict(lengths)}.")


def _count_steps(stored: tf.Tensor, info: TensorInfo) -> tf.Tensor:
    """Counts the steps in blocks (num_blocks,); only the last block may be shorter."""

    def count() -> tf.Tensor:
        last, geometry = blocks.unpack_frames(stored[-1], info)
        return (tf.size(stored) - 1) * geometry.block_length + tf.shape(last)[0]

    return tf.cond(tf.size(stored) > 0, count, lambda: tf.constant(0))


def _to_columns(steps: Iterable[Mapping[str, Any]], names: Iterable[str]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for step in steps:
        if set(step) != set(columns):
            raise ValueError(f"A step has the fields {sorted(columns)}, got {sorted(step)}.")
        for name, value in step.items():
            columns[name].append(value)
    return columns


def _start_frames(name: str, column: Iterable[Any], info: TensorInfo) -> tuple[int, list[Any]]:
    if isinstance(column, np.ndarray):
        chunks: Iterable[Array] = [column]
    else:  # single frames, or arrays of them
        arrays = map(np.asarray, column)
        chunks = (a[np.newaxis] if a.ndim == len(info.shape) else a for a in arrays)
    length = 0

    def with_lead() -> Iterator[list[Array]]:
        nonlocal length
        lead = np.zeros((blocks.LEAD, *info.shape), info.np_dtype)
        for parts in _regroup(name, chunks, info):
            length += sum(map(len, parts))
            yield [lead, *parts]
            lead = np.concatenate([part[-blocks.LEAD :] for part in (lead, *parts)])[-blocks.LEAD :]

    # Packing takes most of a build's time and releases the GIL.
    started = start_each(_pack, with_lead())
    return length, started


class _Scratch(threading.local):
    """A thread's memory for the frames that it packs, since fresh memory costs page faults."""

    values = np.empty(0)


_scratch = _Scratch()


def _pack(parts: list[Array]) -> list[bytes]:
    shape = (sum(map(len, parts)), *parts[0].shape[1:])
    size = math.prod(shape)
    if _scratch.values.size < size or _scratch.values.dtype != parts[0].dtype:
        _scratch.values = np.empty(size, parts[0].dtype)
    frames = _scratch.values[:size].reshape(shape)
    return blocks.pack_blocks(np.concatenate(parts, out=frames))


def _regroup(name: str, chunks: Iterable[Array], info: TensorInfo) -> Iterator[list[Array]]:
    """Regroups arrays of frames, of any length; each group is a list of arrays."""
    pending: list[Array] = []
    length = 0
    for frames in chunks:
        _checked(name, frames, info, ndim=1 + len(info.shape))
        while length + len(frames) >= _FRAMES_AT_ONCE:
            cut = _FRAMES_AT_ONCE - length
            yield [*pending, frames[:cut]]
            pending, length, frames = [], 0, frames[cut:]
        if len(frames):
            pending.append(frames)
            length += len(frames)
    if pending:
        yield pending


def _checked(name: str, array: Array, info: TensorInfo, ndim: int) -> Array:
    dtype = np.dtype(info.np_dtype)
    if array.ndim != ndim or array.shape[1:] != info.shape:
        shape = ", ".join(map(str, ("steps", *info.shape)))
        raise ValueError(
            f"Field {name!r} of steps must have the shape ({shape}), got {array.shape}."
        )
    is_scalar = ndim == 1
    if array.dtype != dtype and not (is_scalar and np.can_cast(array.dtype, dtype, "same_kind")):
        raise ValueError(f"Field {name!r} of steps must be {dtype}, got {array.dtype}.")
    return array.astype(dtype, copy=False)


def _refuse_decoders(decoders: Any) -> None:
    if decoders:
        raise ValueError(
            f"The fields {sorted(decoders)} of steps cannot have their own decoders, since many "
            "steps are stored together. To read fewer fields, give decoders="
            "tfds.decode.PartialDecoding({'steps': {'action', 'reward'}}); to get the stored "
            "bytes, decoders={'steps': tfds.decode.SkipDecoding()}."
        )
