"""Gathers stacks from the frames of a pool.

With frames last, a stack's pixels are interleaved, which takes several times as long as copying
them. But most rows of pixels, and so most rows of stacks, do not change from frame to frame. Stored
frames are rows already, so each distinct row of stacks is interleaved only once, before batches are
gathered:

  one row of the frames a b c d e f       u u u v v v
  the same row in stacks of two           uu  .  uv vv  .      a dot repeats the one before
"""

from __future__ import annotations

from typing import NamedTuple

from tfds_atari_replay._extras import tensorflow as tf
from tfds_atari_replay.transforms.chunks import PackedChunks
from tfds_atari_replay.windows.stacking import Stacking


class StackedRows(NamedTuple):
    """Stacks, frames last, as rows of pixels.

    Attributes:
      rows: uint8 (rows, width * stack_size).
      index: int32 (frames, height); `tf.gather(rows, index[i])` makes the stack whose first frame
        is frame i.
    """

    rows: tf.Tensor
    index: tf.Tensor


def stack_rows(chunks: PackedChunks, stack_size: int) -> PackedChunks:
    """Makes rows of stacks from rows of frames.

    Args:
      chunks: `tf.gather(rows, index)` makes frames.
      stack_size: frames per stack.

    Returns:
      The same chunks, but `tf.gather(rows, index)` makes stacks, frames last, each at the index of
      its first frame. The last stack_size - 1 frames of a chunk are meaningless.
    """
    index = tf.transpose(chunks.index, (0, 2, 1))
    if stack_size == 4:
        # First pairs of frames, then pairs of pairs: most pairs belong to two stacks.
        pairs, index = _interleave(chunks.rows, index, [0, 1])
        rows, index = _interleave(tf.bitcast(pairs, tf.uint16), index, [0, 2])
    else:
        rows, index = _interleave(chunks.rows, index, list(range(stack_size)))
    return chunks._replace(
        rows=tf.reshape(rows, (-1, chunks.rows.shape[-1] * stack_size)),
        index=tf.ensure_shape(tf.transpose(index, (0, 2, 1)), chunks.index.shape),
    )


def _interleave(
    rows: tf.Tensor, index: tf.Tensor, offsets: list[int]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Interleaves each distinct combination of rows of pixels once.

    Args:
      rows: (rows, width).
      index: int32 (chunks, height, frames), the row of each frame.
      offsets: the frames that are combined, relative to the first of them; ascending from 0.

    Returns:
      The interleaved rows, uint8 (combinations, width, bytes), and their index, int32 (chunks,
      height, frames): the combination that begins at each frame. It is meaningless for the last
      `offsets[-1]` frames.
    """
    frames = tf.shape(index)[2]
    last = frames - offsets[-1]
    is_new = tf.zeros_like(index[..., 1:last], tf.bool)
    for offset in offsets:
        now = index[..., offset + 1 : last + offset]
        is_new |= tf.not_equal(now, index[..., offset : last + offset - 1])
    is_new = tf.pad(is_new, [[0, 0], [0, 0], [1, 0]], constant_values=True)
    is_new = tf.pad(is_new, [[0, 0], [0, 0], [0, offsets[-1]]])
    is_new = tf.reshape(is_new, [-1])
    first = tf.cast(tf.where(is_new), tf.int32)
    parts = tf.gather(tf.reshape(index, [-1]), first + tf.constant(offsets))
    number = tf.cumsum(tf.cast(is_new, tf.int32)) - 1
    return _gather_interleaved(rows, parts), tf.reshape(number, tf.shape(index))


def gather_stacks(
    frames: tf.Tensor | StackedRows, first: tf.Tensor, stacking: Stacking
) -> tf.Tensor:
    """Gathers the stacks that begin at the frames `first`, (N,)."""
    if isinstance(frames, StackedRows):
        rows = tf.gather(frames.rows, tf.gather(frames.index, first))
        height, size = rows.shape[1:]
        return tf.reshape(rows, (-1, height, size // stacking.size, stacking.size))
    index = first[:, tf.newaxis] + tf.range(stacking.size)
    if stacking.axis == 0:
        return tf.gather(frames, index)
    return _gather_interleaved(frames, index)


def _gather_interleaved(values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Gathers values (...) by index (N, stack_size): uint8 (N, ..., bytes per stack)."""
    if index.shape[1] == 2:
        return _interleave_pairs(*(tf.gather(values, index[:, one]) for one in range(2)))
    if index.shape[1] == 4:
        halves = (_gather_interleaved(values, half) for half in (index[:, :2], index[:, 2:]))
        return _interleave_pairs(*(tf.bitcast(half, tf.uint16) for half in halves))
    gathered = tf.gather(values, index)
    return tf.transpose(gathered, (0, *range(2, len(gathered.shape)), 1))


def _interleave_pairs(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """Interleaves two tensors of one shape, uint8 or uint16: uint8 (..., bytes of both).

    It joins each pair to a little-endian word, in two thirds of the time tf.transpose takes. The
    sum may overflow into the sign, which leaves the right bits.
    """
    word = tf.uint16 if low.dtype == tf.uint8 else tf.int32
    both = tf.cast(low, word) + tf.cast(high, word) * tf.constant(256**low.dtype.size, word)
    return tf.bitcast(both, tf.uint8)
