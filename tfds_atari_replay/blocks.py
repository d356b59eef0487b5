"""The block format: how frames and scalars of an episode are stored, in NumPy and TensorFlow.

Consecutive Atari frames are nearly equal: in Breakout 6% of the rows of pixels differ from the
frame before, in Freeway 59%. So frames are stored in blocks, in which a row of pixels is kept only
where it changes. Each block first repeats the frames before it, so that a short window that ends in
the block needs no other block:

  block 0: [0 0] a b c d      block 1: [c d] e f g h      for lead 2, block_length 4

A block is, in this order (all numbers little-endian):

  version       uint16   1
  block_length  uint16   frames in each block of the episode except the last, without the lead
  lead          uint16   frames repeated before them; zeros before the episode's first frame
  length        uint16   frames in this block, without the lead
  zlib stream of
    marks       uint8 (height, lead + block_length), 1 where a row differs from the frame before
    rows        uint8 (number of marks, bytes per row), in the order of the marks

Version 0 has no header and begins with 0x78, as zlib does; its zlib stream begins with two uint32,
lead + block_length and lead + length, and its lead is 8.

Whole frames would take 1.4 to 2 times the space and twice the time to unpack, most of which zlib
takes. A scalar field is one zlib stream of its values.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from zlib_ng import zlib_ng

from tfds_atari_replay._extras import tensorflow as tf

BLOCK_LENGTH = 64
"""Frames per block when writing: long blocks compress better, short ones are read faster."""

LEAD = 8
"""Frames repeated before each block when writing: a window of up to `LEAD + 1` frames needs only
one block. They add at most an eighth to the size."""

_VERSION = 1
_HEADER = np.dtype("<u2")
_HEADER_BYTES = 4 * _HEADER.itemsize
_LEVEL = 5  # of zlib

_NEWER = (
    "A newer tfds_atari_replay wrote it: pip install --upgrade tfds-atari-replay, or build the "
    "dataset again with this version."
)

_ZLIB = 0x78  # how version 0 begins
_OLD_HEADER = np.dtype("<u4")
_OLD_LEAD = 8

Array = npt.NDArray[Any]


class Field(Protocol):
    """A field of steps: the shape of a step's value, height first, and its dtype."""

    @property
    def shape(self) -> tuple[Any, ...]: ...
    @property
    def np_dtype(self) -> Any: ...


# Writing.


def pack_column(column: Array) -> bytes:
    """Packs a scalar field, (steps,)."""
    return _compress(_to_bytes(column))


def pack_blocks(frames: Array) -> list[bytes]:
    """Packs consecutive blocks.

    Args:
      frames: (LEAD + length, height, ...), `LEAD` frames followed by those of the blocks:
        `BLOCK_LENGTH` in each block, the rest in the last one.
    """
    rows = _to_bytes(frames).reshape(*frames.shape[:2], -1)
    is_new = np.zeros(rows.shape[:2], np.bool_)
    # Compares words rather than bytes, and looks for the few that differ: np.any over each row
    # takes four times as long.
    words = rows.view(f"u{math.gcd(rows.shape[2], 8)}")
    changed = np.flatnonzero(words[1:] != words[:-1]) // words.shape[2]
    is_new[1:].reshape(-1)[changed] = True
    rows, is_new = rows.swapaxes(0, 1), is_new.T
    packed = []
    for start in range(0, len(frames) - LEAD, BLOCK_LENGTH):
        own = slice(start, start + LEAD + BLOCK_LENGTH)
        # Every block has the same number of marks, so that many can be unpacked at once.
        marks = np.zeros((len(rows), LEAD + BLOCK_LENGTH), np.bool_)
        length = rows[:, own].shape[1]
        marks[:, :length] = is_new[:, own]
        marks[:, 0] = True
        header = np.array([_VERSION, BLOCK_LENGTH, LEAD, length - LEAD], _HEADER)
        kept = rows[:, own][marks[:, :length]]
        packed.append(header.tobytes() + _compress(marks.tobytes() + kept.tobytes()))
    return packed


def _to_bytes(array: Array) -> Array:
    little_endian = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little_endian).view(np.uint8)


def _compress(data: Any) -> bytes:
    packed: bytes = zlib_ng.compress(data, _LEVEL)
    return packed


# Reading with NumPy.


@dataclasses.dataclass(frozen=True)
class Block:
    """An unpacked block. Frame i, lead included, is `rows[index[i]]`.

    Attributes:
      rows: uint8 (rows, bytes per row), the stored rows of pixels.
      index: int32 (lead + length, height).
      lead: how many frames precede the block's own.
    """

    rows: npt.NDArray[np.uint8]
    index: npt.NDArray[np.int32]
    lead: int


def unpack_column_np(stored: bytes, field: Field) -> Array:
    """Unpacks a scalar field: (steps,)."""
    return np.frombuffer(isal_zlib.decompress(stored), _dtype(field))


def unpack_block_np(stored: bytes, field: Field) -> Block:
    """Unpacks a block without making its frames.

    Raises:
      ValueError: a newer version of this package wrote it.
    """
    if stored[0] == _ZLIB:
        raw = np.frombuffer(isal_zlib.decompress(stored), np.uint8)
        room, count = raw[: 2 * _OLD_HEADER.itemsize].view(_OLD_HEADER).tolist()
        raw, lead = raw[2 * _OLD_HEADER.itemsize :], _OLD_LEAD
    else:
        header = np.frombuffer(stored[:_HEADER_BYTES], _HEADER)
        version, block_length, lead, length = header.tolist()
        if version != _VERSION:
            raise ValueError(f"Expected a block of version 0 or 1, got {version}. {_NEWER}")
        raw = np.frombuffer(isal_zlib.decompress(stored[_HEADER_BYTES:]), np.uint8)
        room, count = lead + block_length, lead + length
    height = field.shape[0]
    # Rows are stored in the order of the marks, so an unmarked row repeats the last one counted.
    index = np.cumsum(raw[: height * room], dtype=np.int32).reshape(height, room) - 1
    rows = raw[height * room :].reshape(-1, _row_bytes(field))
    return Block(rows, index.T[:count], lead)


def frames_of_np(block: Block, field: Field) -> Array:
    """Makes the frames of a block, without the lead: (length, *shape)."""
    rows = block.rows[block.index[block.lead :]]
    frames: Array = rows.view(_dtype(field)).reshape(-1, *field.shape)
    return frames


def _dtype(field: Field) -> Any:
    return np.dtype(field.np_dtype).newbyteorder("<")


def _row_bytes(field: Field) -> int:
    size: int = np.dtype(field.np_dtype).itemsize * math.prod(field.shape[1:])
    return size


# Reading with TensorFlow.


class Geometry(NamedTuple):
    """`block_length` and `lead` of an episode's blocks, int32 ()."""

    block_length: tf.Tensor
    lead: tf.Tensor


class Blocks(NamedTuple):
    """Unpacked blocks of one geometry. Frame i of block b is `tf.gather(rows[b], index[b, i])`.

    Attributes:
      rows: uint8 (blocks, rows, bytes per row), padded with zeros to the same number of rows.
      index: int32 (blocks, lead + block_length, height); meaningless after a block's last frame.
      length: int32 (blocks,), frames in each block, without the lead.
      geometry: the geometry of each block.
    """

    rows: tf.Tensor
    index: tf.Tensor
    length: tf.Tensor
    geometry: Geometry


def read_geometry(stored: tf.Tensor) -> Geometry:
    """Reads the geometry of a block, bytes (), without unpacking it."""
    header = _read_header(stored[tf.newaxis])[0]

    def old() -> Geometry:
        raw = tf.strings.substr(tf.io.decode_compressed(stored, "ZLIB"), 0, 4)
        return Geometry(tf.io.decode_raw(raw, tf.int32)[0] - _OLD_LEAD, tf.constant(_OLD_LEAD))

    return Geometry(*tf.cond(_is_old(header), old, lambda: Geometry(header[1], header[2])))


def unpack_column(stored: tf.Tensor, field: Field) -> tf.Tensor:
    """Unpacks a scalar field: bytes () to (steps,), of the field's dtype."""
    dtype = tf.dtypes.as_dtype(field.np_dtype)
    raw = tf.io.decode_compressed(stored, "ZLIB")
    if dtype == tf.bool:
        return tf.cast(tf.io.decode_raw(raw, tf.uint8), tf.bool)
    return tf.io.decode_raw(raw, dtype)


def unpack_blocks(stored: tf.Tensor, field: Field) -> Blocks:
    """Unpacks blocks of one geometry, bytes (blocks,), without making their frames."""
    header = _read_header(stored)
    is_old = _is_old(header[0])
    packed = tf.strings.substr(stored, tf.where(is_old, 0, _HEADER_BYTES), -1)
    packed = tf.io.decode_compressed(packed, "ZLIB")
    # `where`, not `cond`: a branch costs more than these few numbers.
    sizes = tf.io.decode_raw(tf.strings.substr(packed, 0, 8), tf.int32)
    lead = tf.where(is_old, _OLD_LEAD, header[0, 2])
    room = tf.where(is_old, sizes[0, 0], header[0, 1] + header[0, 2])
    length = tf.where(is_old, sizes[:, 1] - _OLD_LEAD, header[:, 3])
    packed = tf.strings.substr(packed, tf.where(is_old, 8, 0), -1)
    size = tf.reduce_max(tf.strings.length(packed))
    raw = tf.io.decode_raw(packed, tf.uint8, fixed_length=size)
    count, height = tf.shape(raw)[0], field.shape[0]
    marks = tf.cast(raw[:, : height * room], tf.int32)
    # As in `unpack_block_np`.
    index = tf.reshape(tf.cumsum(marks, 1) - 1, (count, height, room))
    rows = tf.reshape(raw[:, height * room :], (count, -1, _row_bytes(field)))
    geometry = Geometry(room - lead, lead)
    return Blocks(rows, tf.transpose(index, (0, 2, 1)), length, geometry)


def unpack_frames(stored: tf.Tensor, field: Field) -> tuple[tf.Tensor, Geometry]:
    """Unpacks a block, bytes (): its geometry, and its frames (length, *shape) without lead."""
    rows, index, length, geometry = unpack_blocks(stored[tf.newaxis], field)
    own = index[0, geometry.lead : geometry.lead + length[0]]
    return rows_to_frames(tf.gather(rows[0], own), field), geometry


def rows_to_frames(rows: tf.Tensor, field: Field) -> tf.Tensor:
    """Casts rows, uint8 (..., height, bytes per row), to frames (..., *shape)."""
    dtype = tf.dtypes.as_dtype(field.np_dtype)
    shape = tf.concat([tf.shape(rows)[:-2], field.shape], 0)
    if dtype == tf.bool:
        frames = tf.cast(rows, tf.bool)
    elif dtype.size > 1:
        frames = tf.bitcast(tf.reshape(rows, tf.concat([shape, [dtype.size]], 0)), dtype)
    else:
        frames = tf.bitcast(rows, dtype)
    frames = tf.reshape(frames, shape)
    return tf.ensure_shape(frames, (*rows.shape[:-2], *field.shape))


def _read_header(stored: tf.Tensor) -> tf.Tensor:
    """Reads the headers of blocks, int32 (blocks, 4), and refuses unknown versions."""
    raw = tf.io.decode_raw(tf.strings.substr(stored, 0, _HEADER_BYTES), tf.uint16)
    header = tf.ensure_shape(tf.cast(raw, tf.int32), (None, 4))
    version = tf.where(_is_old(header[0]), _VERSION, header[:, 0])
    check = tf.debugging.assert_equal(
        version, _VERSION, f"Expected blocks of version 0 or 1. {_NEWER}"
    )
    with tf.control_dependencies([check]):
        return tf.identity(header)


def _is_old(header: tf.Tensor) -> tf.Tensor:
    # Not `==`, which compares objects in graphs of TensorFlow 1.
    return tf.equal(header[0] % 256, _ZLIB)
