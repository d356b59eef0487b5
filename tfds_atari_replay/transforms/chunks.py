"""Cuts episodes into chunks of steps, each with the frames that its windows need.

A window belongs to the chunk in which it ends. With chunks of four steps and windows of three
frames (stack_size=2, n_step=1), the chunk of the steps e f g h is

  frames   c d | e f g h        before = window.length - 1 frames come first
  slots          0 1 2 3        the window of slot i ends at step i: that of slot 0 is [c d e]
  starts         d e f g        so its transition starts n_step steps earlier

The last chunk of an episode uses n_step - 1 more slots, for windows that reach past a terminal
state.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tfds_atari_replay import blocks, fields
from tfds_atari_replay._extras import tensorflow as tf
from tfds_atari_replay.steps import Steps
from tfds_atari_replay.transforms.checks import STEP_FIELDS
from tfds_atari_replay.windows.rule import Columns, Starts, Window

Tensors = dict[str, Any]

STEPS_PER_CHUNK = 64
"""For decoded steps; each chunk of stored steps is one block."""


class StoredChunk(NamedTuple):
    """A chunk whose frames are packed.

    Attributes:
      stored: bytes (context + 1,), its block, preceded by those that long windows reach back to.
      position: int32 (), the chunk's index in the episode.
      starts: each (slots,).
    """

    stored: tf.Tensor
    position: tf.Tensor
    starts: Starts


class PackedChunks(NamedTuple):
    """Several chunks whose frames are rows of pixels.

    Attributes:
      rows: uint8 (rows, bytes per row), the rows of all chunks.
      index: int32 (chunks, before + steps, height); `tf.gather(rows, index)` makes frames.
      length: int32 (chunks,), steps in each.
      starts: each (chunks, slots).
    """

    rows: tf.Tensor
    index: tf.Tensor
    length: tf.Tensor
    starts: Starts


class Chunk(NamedTuple):
    """A chunk of decoded steps.

    Attributes:
      frames: uint8 (before + steps, height, width).
      length: int32 (), steps.
      starts: each (slots,).
    """

    frames: tf.Tensor
    length: tf.Tensor
    starts: Starts


def without_autograph(function: Any) -> Any:
    """Keeps AutoGraph from rewriting a function that does not need it, which saves a second."""
    return tf.autograph.experimental.do_not_convert(function)


def _to_columns(steps: Tensors, window: Window) -> Columns:
    return Columns(
        {name: steps[field] for name, field in fields.carried(window.reward).items()},
        steps["is_terminal"],
        tf.ones_like(steps["is_terminal"]),
    )


def _pad(values: Any, before: int | tf.Tensor, after: int | tf.Tensor) -> Any:
    """Puts zeros before and after tensors, along their first axis."""
    return tf.nest.map_structure(
        lambda v: tf.pad(v, [[before, after], *[[0, 0]] * (len(v.shape) - 1)]), values
    )


def decode(stored: Tensors) -> tf.data.Dataset:
    """Decodes the stored steps of an episode."""
    return Steps({name: STEP_FIELDS[name] for name in stored}).decode_example(stored)


def cut_stored_episode(stored: Tensors, window: Window) -> StoredChunk:
    """Cuts an episode of stored steps into chunks, along a new first axis."""
    info = STEP_FIELDS.get_tensor_info()
    steps = {
        name: blocks.unpack_column(stored[name], info[name])
        for name in fields.needed(window.reward)
    }
    frames = stored["observation"]
    num_chunks, num_steps = tf.size(frames), tf.size(steps["is_first"])
    geometry = blocks.read_geometry(frames[0])
    num_slots = num_chunks * geometry.block_length + window.n_step - 1
    columns = _pad(_to_columns(steps, window), window.length - 1, num_slots - num_steps)
    starts = window.starts(columns, steps["is_first"][0], num_slots, tf.where)
    position = tf.range(num_chunks)[:, tf.newaxis]
    slot = tf.range(geometry.block_length + window.n_step - 1)
    step = position * geometry.block_length + slot
    in_chunks = tf.nest.map_structure(lambda column: tf.gather(column, step), starts)
    # A window that ends in the next chunk belongs to that one.
    is_own = (slot < geometry.block_length) | (position == num_chunks - 1)
    # A chunk needs as many blocks before its own as hold the frames that its lead lacks.
    lacking = tf.maximum(window.length - 1 - geometry.lead, 0)
    num_before = (lacking + geometry.block_length - 1) // geometry.block_length
    needed = tf.maximum(position + tf.range(-num_before, 1), 0)
    return StoredChunk(
        tf.gather(frames, needed),
        position[:, 0],
        in_chunks._replace(is_valid=in_chunks.is_valid & is_own),
    )


def unpack_chunks(chunks: StoredChunk, window: Window) -> PackedChunks:
    """Unpacks a batch of chunks at once, since half of a call for a single chunk is overhead."""
    info = STEP_FIELDS.get_tensor_info()["observation"]
    count, num_blocks = tf.unstack(tf.shape(chunks.stored))
    rows, index, length, geometry = blocks.unpack_blocks(tf.reshape(chunks.stored, [-1]), info)
    height = index.shape[-1]
    # The rows of all blocks are concatenated.
    index += (tf.range(tf.shape(index)[0]) * tf.shape(rows)[1])[:, None, None]
    rows = tf.reshape(rows, (-1, rows.shape[-1]))
    index = tf.reshape(index, (count, num_blocks, -1, height))
    # Before an episode's first block there are zeros, like the first frame of its lead.
    block = chunks.position[:, tf.newaxis] - num_blocks + 1 + tf.range(num_blocks)
    index = tf.where((block >= 0)[..., None, None], index, index[:, :1, :1])
    # Consecutive blocks: the lead of the first, then the frames of each.
    lead = geometry.lead
    joined = tf.concat([index[:, 0, :lead], tf.reshape(index[:, :, lead:], (count, -1, height))], 1)
    before = window.length - 1
    index = joined[:, lead + (num_blocks - 1) * geometry.block_length - before :]
    length = tf.reshape(length, (count, num_blocks))[:, -1]
    return PackedChunks(rows, index, length, chunks.starts)


def cut_steps(steps: tf.data.Dataset, window: Window) -> tf.data.Dataset:
    """Cuts a nested dataset of steps into chunks."""
    before = window.length - 1
    slots = STEPS_PER_CHUNK + window.n_step - 1
    spec = steps.element_spec
    height, width, _ = spec["observation"].shape

    def split(steps: Tensors) -> tuple[tf.Tensor, Columns]:
        return tf.squeeze(steps["observation"], -1), _to_columns(steps, window)

    @without_autograph
    def cut(state: Any, steps: Tensors) -> tuple[Any, Chunk]:
        steps_before, starts_at_reset = state
        starts_at_reset |= steps["is_first"][0]
        joined = tf.nest.map_structure(
            lambda *parts: tf.concat(parts, 0), steps_before, split(steps)
        )
        frames, columns = joined
        length = tf.size(steps["is_first"])
        frames = _pad(frames, 0, STEPS_PER_CHUNK - length)
        columns = _pad(columns, 0, slots - length)
        chunk = Chunk(
            tf.ensure_shape(frames, (before + STEPS_PER_CHUNK, height, width)),
            length,
            window.starts(columns, starts_at_reset, slots, tf.where),
        )
        last = tf.nest.map_structure(lambda values: values[-before:], joined)
        return (last, starts_at_reset), chunk

    frames, columns = split(
        {
            name: tf.zeros((before, *spec[name].shape), spec[name].dtype)
            for name in ("observation", *fields.needed(window.reward))
        }
    )
    padding = frames, columns._replace(is_real=tf.zeros(before, tf.bool))
    return steps.batch(STEPS_PER_CHUNK).scan((padding, tf.constant(False)), cut)
