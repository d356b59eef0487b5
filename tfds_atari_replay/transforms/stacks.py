"""Stacks of frames, and how a pool holds the pixels that they are gathered from.

With frames last, a stack's pixels are interleaved, which takes several times as long as copying
them. But most rows of pixels do not change from frame to frame, so nor do most rows of stacks.
Stored frames come as rows, so each distinct row of stacks is interleaved once, before batches are
gathered:

  one row of the frames a b c d e f       u u u v v v
  the same row of stacks of two           uu  .  uv vv  .      a dot repeats the one before
"""

from __future__ import annotations

from typing import NamedTuple

from tfds_atari_replay._extras import tensorflow as tf
from tfds_atari_replay.transforms.chunks import PackedChunks
from tfds_atari_replay.windows.stacking import Stacking


class Frames(NamedTuple):
    """Frames one after the other.

    Attributes:
      frames: uint8 (frames, height, width).
    """

    frames: tf.Tensor


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
      The same chunks, but `tf.gather(rows, index)` makes stacks, frames last, each in the place of
      its first frame; it means nothing for the last stack_size - 1 frames of a chunk.
    """
    index = tf.transpose(chunks.index, (0, 2, 1))
    # The index of a row never decreases over time: if its ends are equal, so is all between.
    is_new = tf.not_equal(index[..., :-stack_size], index[..., stack_size:])
    is_new = tf.pad(is_new, [[0, 0], [0, 0], [1, 0]], constant_values=True)
    is_new = tf.pad(is_new, [[0, 0], [0, 0], [0, stack_size - 1]])
    is_new = tf.reshape(is_new, [-1])
    first = tf.cast(tf.where(is_new), tf.int32)
    parts = tf.gather(tf.reshape(index, [-1]), first + tf.range(stack_size))
    rows = _gather_interleaved(chunks.rows, parts)
    number = tf.cumsum(tf.cast(is_new, tf.int32)) - 1
    stacked = tf.transpose(tf.reshape(number, tf.shape(index)), (0, 2, 1))
    return chunks._replace(
        rows=tf.reshape(rows, (-1, chunks.rows.shape[-1] * stack_size)),
        index=tf.ensure_shape(stacked, chunks.index.shape),
    )


def gather_stacks(frames: Frames | StackedRows, first: tf.Tensor, stacking: Stacking) -> tf.Tensor:
    """Gathers the stacks whose first frames are `first`, (N,)."""
    if isinstance(frames, StackedRows):
        rows = tf.gather(frames.rows, tf.gather(frames.index, first))
        height, size = rows.shape[1:]
        return tf.reshape(rows, (-1, height, size // stacking.size, stacking.size))
    index = first[:, tf.newaxis] + tf.range(stacking.size)
    if stacking.axis == 0:
        return tf.gather(frames.frames, index)
    return _gather_interleaved(frames.frames, index)


def _gather_interleaved(values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Like tf.gather(values, index) for index (N, stack_size), but with that dimension last."""
    if values.dtype == tf.uint8 and index.shape[1] == 4:
        return _gather_as_words(values, index)
    gathered = tf.gather(values, index)
    return tf.transpose(gathered, (0, *range(2, len(gathered.shape)), 1))


def _gather_as_words(values: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Does so for four bytes, put together as one little-endian word of 32 bits.

    That takes two thirds of the time of tf.transpose. The sum may overflow into the sign; its bits
    are right all the same.
    """
    word = sum(
        tf.cast(tf.gather(values, index[:, byte]), tf.int32) * 256**byte for byte in range(4)
    )
    return tf.bitcast(word, tf.uint8)
