"""How a sequence of steps is stored and read back.

Consecutive Atari frames are nearly equal, so frames lie in blocks of many, in which a row of pixels
is stored only when it changes; a scalar field lies in one column. `benchmarks/` measures it against
a PNG per step.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow_datasets as tfds
from isal import isal_zlib
from tensorflow_datasets.core.data_sources import python as python_data_source
from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow as tf
from zlib_ng import zlib_ng

from tfds_atari_replay import _tfds
from tfds_atari_replay.threads import map_ahead

BLOCK_LENGTH = 64
"""Frames per block: longer ones are smaller, shorter ones quicker to reach into."""

LEAD = 8
"""Frames before its own that a block holds once more, so that a window of up to `LEAD + 1` frames
needs one block; zeros before the first step. They add at most an eighth to what is stored."""

# A block holds, packed with zlib: two uint32, how many frames it has room for and how many it has,
# lead and all; for each row of pixels (first dimension of a frame) and each frame there is room
# for, a byte that says whether the row differs from that of the frame before; these rows, in the
# same order. In Breakout 6% of the rows differ, in Freeway 59%. Packed as whole frames, row by row,
# they take 1.4 to 2 times the space and, as zlib has more to unpack, twice the time to read
# (benchmarks/codecs.py).
_HEADER = np.dtype("<u4")
_LEVEL = 5

Array = npt.NDArray[Any]
TensorInfo: TypeAlias = tfds.features.TensorInfo


class Steps(tfds.features.Dataset):
    """A `tfds.features.Dataset` of steps, stored compactly.

    It is declared and read like `tfds.features.Dataset`: in TensorFlow it gives a nested
    `tf.data.Dataset` of single steps, in NumPy a sequence of them. Only the storage differs: fields
    with a shape (frames) lie in zlib blocks of `BLOCK_LENGTH` steps, which store a row of a frame
    only where it changes; scalars lie in one zlib column each. Numbers are little-endian. What is
    read does not depend on the block length.

    When generating, give an iterable of steps or a dict of columns, as for
    `tfds.features.Dataset`. A column of frames may also be an iterator of arrays (n, 84, 84, 1),
    any n, so that a long episode need not be in memory whole.

    `decoders={"steps": tfds.decode.SkipDecoding()}` gives what is stored: bytes (num_blocks,) for
    frames, bytes () for a scalar column.
    """

    def get_serialized_info(self) -> dict[str, TensorInfo]:
        return {
            name: TensorInfo(shape=(None,) if info.shape else (), dtype=np.object_, dataset_lvl=1)
            for name, info in self._fields().items()
        }

    def encode_example(self, example_ds: Any) -> dict[str, Any]:
        """Compresses steps.

        Raises:
          ValueError: fields are missing or unknown, of another dtype or shape, or of different
            lengths.
        """
        fields = self._fields()
        columns = example_ds if isinstance(example_ds, Mapping) else _to_columns(example_ds, fields)
        if set(columns) != set(fields):
            raise ValueError(f"Steps have the fields {sorted(fields)}, got {sorted(columns)}.")
        lengths: dict[str, int] = {}
        encoded: dict[str, Any] = {}
        for name, info in fields.items():
            if info.shape:
                lengths[name], encoded[name] = _encode_frames(name, columns[name], info)
            else:
                column = _checked(name, np.asarray(columns[name]), info, ndim=1)
                lengths[name], encoded[name] = len(column), _pack(_to_bytes(column))
        if len(set(lengths.values())) > 1:
            raise ValueError(f"All fields of steps must be equally long, got {lengths}.")
        return encoded

    def decode_example(self, serialized_example: Any, decoders: Any = None) -> tf.data.Dataset:
        """Gives the steps as a dataset of known length, unpacking a block of frames at a time.

        No `tf.data.Options` change the order of the steps, or which frame a scalar belongs to.
        """
        _refuse_decoders(decoders)
        fields = self._fields()
        blocks = {name: serialized_example[name] for name, info in fields.items() if info.shape}
        scalars = {
            name: decode_column(serialized_example[name], info)
            for name, info in fields.items()
            if not info.shape
        }
        if not blocks:
            return tf.data.Dataset.from_tensor_slices(scalars)

        def unpack(number: tf.Tensor, blocks: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            # A block knows its place, so its scalars are found whatever is unpacked before it.
            steps, place = {}, tf.constant(0)
            for name, block in blocks.items():
                steps[name], block_length = _decode_block(block, fields[name])
                place = number * block_length + tf.range(tf.shape(steps[name])[0])
            return {**steps, **{name: tf.gather(column, place) for name, column in scalars.items()}}

        name, some_blocks = next(iter(blocks.items()))
        if scalars:
            length = tf.size(next(iter(scalars.values())))
        else:
            length = _count_steps(some_blocks, fields[name])
        # Whole blocks of all fields are made first and cut into steps last, by one C++ op: zipping
        # single steps in a Python function costs a tenth of the speed. At most as many blocks are
        # unpacked at a time as there are cores, so memory does not grow with the episode. Left to
        # the options, `deterministic = False` would let blocks overtake each other.
        return (
            tf.data.Dataset.from_tensor_slices((tf.range(tf.size(some_blocks)), blocks))
            .map(unpack, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            .unbatch()
            .apply(tf.data.experimental.assert_cardinality(tf.cast(length, tf.int64)))
        )

    def decode_example_np(self, serialized_example: Any, decoders: Any = None) -> Any:
        _refuse_decoders(decoders)
        columns = {
            name: (_BlockColumn if info.shape else decode_column_np)(serialized_example[name], info)
            for name, info in self._fields().items()
        }
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1:
            raise ValueError(f"The stored fields of steps differ in length: {sorted(lengths)}.")
        return python_data_source.PythonDataSource(length=lengths.pop(), getitem=_StepAt(columns))

    def _fields(self) -> dict[str, TensorInfo]:
        return dict(self.feature.get_tensor_info())


_tfds.let_partial_decoding_select_from(Steps)


def decode_column(stored: tf.Tensor, info: TensorInfo) -> tf.Tensor:
    """Unpacks a scalar column: stored bytes () to (steps,), of the field's dtype."""
    dtype = tf.dtypes.as_dtype(info.np_dtype)
    raw = tf.io.decode_compressed(stored, "ZLIB")
    if dtype == tf.bool:
        return tf.cast(tf.io.decode_raw(raw, tf.uint8), tf.bool)
    return tf.io.decode_raw(raw, dtype)


def decode_column_np(stored: bytes, info: TensorInfo) -> Array:
    """`decode_column` in NumPy."""
    dtype: Any = np.dtype(info.np_dtype).newbyteorder("<")
    return np.frombuffer(isal_zlib.decompress(stored), dtype)


def decode_block(stored: tf.Tensor, info: TensorInfo) -> tf.Tensor:
    """Unpacks a block of frames: stored bytes () to (steps, *shape), of the field's dtype."""
    return _decode_block(stored, info)[0]


def _decode_block(stored: tf.Tensor, info: TensorInfo) -> tuple[tf.Tensor, tf.Tensor]:
    """The frames of a block, and how many there are in each block before it."""
    rows, index, length = unpack_blocks(stored[tf.newaxis], info)
    frames = rows_to_frames(tf.gather(rows[0], index[0, LEAD : LEAD + length[0]]), info)
    return frames, tf.shape(index)[1] - LEAD


def _count_steps(blocks: tf.Tensor, info: TensorInfo) -> tf.Tensor:
    """Counts the steps of blocks (num_blocks,), of which only the last may be shorter."""

    def count() -> tf.Tensor:
        last, block_length = _decode_block(blocks[-1], info)
        return (tf.size(blocks) - 1) * block_length + tf.shape(last)[0]

    return tf.cond(tf.size(blocks) > 0, count, lambda: tf.constant(0))


def unpack_blocks(stored: tf.Tensor, info: TensorInfo) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Unpacks blocks of equal room, without making their frames.

    Args:
      stored: bytes (blocks,).
      info: of the field.

    Returns:
      The different rows of each block, uint8 (blocks, rows, bytes of a row), zeros where a block
      has fewer; of which of them a frame consists, int32 (blocks, LEAD + room, rows of a frame);
      how many steps a block has, int32 (blocks,). tf.gather(rows[i], index[i]) makes frames, which
      mean nothing after the block's last step.
    """
    packed = tf.io.decode_compressed(stored, "ZLIB")
    size = tf.reduce_max(tf.strings.length(packed))
    raw = tf.io.decode_raw(packed, tf.uint8, fixed_length=size)
    count, height = tf.shape(raw)[0], info.shape[0]
    header = tf.bitcast(tf.reshape(raw[:, : 2 * _HEADER.itemsize], (count, 2, -1)), tf.int32)
    room = header[0, 0]
    start = 2 * _HEADER.itemsize + height * room
    is_new = tf.cast(raw[:, 2 * _HEADER.itemsize : start], tf.int32)
    # The rows lie in the order of the marks, so a row not marked is the one last counted.
    index = tf.reshape(tf.cumsum(is_new, 1) - 1, (count, height, room))
    rows = tf.reshape(raw[:, start:], (count, -1, _row_bytes(info)))
    return rows, tf.transpose(index, (0, 2, 1)), header[:, 1] - LEAD


def rows_to_frames(rows: tf.Tensor, info: TensorInfo) -> tf.Tensor:
    """Casts rows, uint8 (..., rows of a frame, bytes of a row), to frames (..., *shape)."""
    dtype = tf.dtypes.as_dtype(info.np_dtype)
    shape = tf.concat([tf.shape(rows)[:-2], info.shape], 0)
    if dtype == tf.bool:
        frames = tf.cast(rows, tf.bool)
    elif dtype.size > 1:
        frames = tf.bitcast(tf.reshape(rows, tf.concat([shape, [dtype.size]], 0)), dtype)
    else:
        frames = tf.bitcast(rows, dtype)
    frames = tf.reshape(frames, shape)
    return tf.ensure_shape(frames, (*rows.shape[:-2], *info.shape))


def _row_bytes(info: TensorInfo) -> int:
    size: int = np.dtype(info.np_dtype).itemsize * math.prod(info.shape[1:])
    return size


def _decode_block_np(stored: bytes, info: TensorInfo) -> Array:
    raw = np.frombuffer(isal_zlib.decompress(stored), np.uint8)
    height = info.shape[0]
    room, length = raw[: 2 * _HEADER.itemsize].view(_HEADER).tolist()
    start = 2 * _HEADER.itemsize + height * room
    is_new = raw[2 * _HEADER.itemsize : start]
    index = np.cumsum(is_new, dtype=np.int32).reshape(height, room) - 1
    rows = raw[start:].reshape(-1, _row_bytes(info))
    dtype: Any = np.dtype(info.np_dtype).newbyteorder("<")
    frames: Array = rows[index.T[LEAD:length]].view(dtype).reshape(-1, *info.shape)
    return frames


class _BlockColumn:
    """Frames of an episode by index; keeps the block unpacked that was used last."""

    def __init__(self, blocks: Iterable[bytes], info: TensorInfo):
        self._blocks = list(blocks)
        self._info = info
        self._unpacked: tuple[int, Array] | None = None
        # All blocks but the last are of one length.
        self._block_length = len(self._block(0)) if self._blocks else 0

    def __len__(self) -> int:
        if not self._blocks:
            return 0
        last = len(self._blocks) - 1
        return last * self._block_length + len(self._block(last))

    def __getitem__(self, index: int) -> Array:
        block, offset = divmod(index, self._block_length)
        # A copy, or one frame would keep its whole block in memory.
        frame: Array = self._block(block)[offset].copy()
        return frame

    def _block(self, index: int) -> Array:
        if self._unpacked is None or self._unpacked[0] != index:
            self._unpacked = index, _decode_block_np(self._blocks[index], self._info)
        return self._unpacked[1]


@dataclasses.dataclass(frozen=True)
class _StepAt:
    """Gives one step of columns; a class, so that it can be pickled to worker processes."""

    columns: dict[str, Any]

    def __call__(self, index: int) -> dict[str, Any]:
        length = len(next(iter(self.columns.values())))
        if not -length <= index < length:
            raise IndexError(f"step {index} of an episode of {length}")
        return {name: column[index % length] for name, column in self.columns.items()}


def _to_columns(steps: Iterable[Mapping[str, Any]], names: Iterable[str]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for step in steps:
        if set(step) != set(columns):
            raise ValueError(f"A step has the fields {sorted(columns)}, got {sorted(step)}.")
        for name, value in step.items():
            columns[name].append(value)
    return columns


def _encode_frames(name: str, column: Iterable[Any], info: TensorInfo) -> tuple[int, list[bytes]]:
    if isinstance(column, np.ndarray):
        chunks: Iterable[Array] = [column]
    else:  # single frames, or arrays of them
        arrays = map(np.asarray, column)
        chunks = (a[np.newaxis] if a.ndim == len(info.shape) else a for a in arrays)
    length = 0

    def with_lead() -> Iterator[tuple[Array, Array]]:
        nonlocal length
        lead = np.zeros((LEAD, *info.shape), info.np_dtype)
        for block in _reblock(name, chunks, info):
            length += len(block)
            yield lead, block
            lead = np.concatenate([lead, block])[-LEAD:]

    # Compressing takes most of a build's time and lets go of Python's lock.
    blocks = list(map_ahead(lambda pair: _compress_block(*pair), with_lead()))
    return length, blocks


def _reblock(name: str, chunks: Iterable[Array], info: TensorInfo) -> Iterator[Array]:
    """Cuts frames that come one by one or in arrays of any length into blocks."""
    pending: list[Array] = []
    length = 0
    for frames in chunks:
        _checked(name, frames, info, ndim=1 + len(info.shape))
        while length + len(frames) >= BLOCK_LENGTH:
            cut = BLOCK_LENGTH - length
            yield np.concatenate([*pending, frames[:cut]]) if pending else frames[:cut]
            pending, length, frames = [], 0, frames[cut:]
        if len(frames):
            pending.append(frames)
            length += len(frames)
    if pending:
        yield np.concatenate(pending)


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


def _compress_block(lead: Array, block: Array) -> bytes:
    frames = np.concatenate([lead, block])
    rows = _to_bytes(frames).reshape(*frames.shape[:2], -1).swapaxes(0, 1)
    # The same room in all blocks, so that many can be unpacked at once.
    header = np.array([LEAD + BLOCK_LENGTH, len(frames)], _HEADER)
    marks = np.zeros((len(rows), LEAD + BLOCK_LENGTH), np.bool_)
    is_new = marks[:, : len(frames)]
    is_new[:, 0] = True
    np.any(rows[:, 1:] != rows[:, :-1], axis=2, out=is_new[:, 1:])
    return _pack(b"".join([header.tobytes(), marks.tobytes(), rows[is_new].tobytes()]))


def _to_bytes(array: Array) -> Array:
    little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little_endian).view(np.uint8)


def _pack(data: Any) -> bytes:
    packed: bytes = zlib_ng.compress(data, _LEVEL)
    return packed


def _refuse_decoders(decoders: Any) -> None:
    if decoders:
        raise ValueError(
            f"The fields {sorted(decoders)} of steps have no decoder of their own: they are stored "
            "many steps together. To read fewer fields, give decoders=tfds.decode.PartialDecoding("
            "{'steps': {'action', 'reward'}}); to get what is stored, "
            "decoders={'steps': tfds.decode.SkipDecoding()}."
        )
