"""Pools of frames, and batches of transitions gathered from them, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tfds_atari_replay._extras import tensorflow as tf
from tfds_atari_replay.threads import NUM_THREADS
from tfds_atari_replay.transforms.chunks import (
    Chunk,
    PackedChunks,
    StoredChunk,
    Tensors,
    cut_steps,
    cut_stored_episode,
    unpack_chunks,
    without_autograph,
)
from tfds_atari_replay.transforms.stacks import StackedRows, gather_stacks, stack_rows
from tfds_atari_replay.windows.rule import Starts, Window
from tfds_atari_replay.windows.stacking import Stacking

# Chunks in a pool. With 192 chunks, a batch of 256 draws from 141 of them on average. A pool takes
# 90 MB (frames last: 60 in Breakout, 220 in Freeway), and there are two: the next one is made while
# batches are gathered.
_POOL_SHUFFLED = 192
_POOL_IN_ORDER = 16

# Blocks unpacked per call: for a single block, half of the time is the overhead of calls.
_BLOCKS_AT_ONCE = 16

# Shuffle buffers. Stored blocks are shuffled before they are unpacked: half a million steps, 20 to
# 150 MB. Decoded episodes are shuffled whole; the longest have 27,000 steps.
_SHUFFLED_BLOCKS = 8192
_SHUFFLED_EPISODES = 1024
_OPEN_EPISODES = 96  # each with a few unpacked blocks

# Instead of AUTOTUNE, which starts with one call and needs a second to adapt.
_PARALLEL_CALLS = NUM_THREADS


class Pool(NamedTuple):
    """Frames, and N transitions among them.

    Attributes:
      frames: uint8 (frames, height, width), or rows of stacks.
      observation: int32 (N,), the first frame of each stack.
      next_observation: int32 (N,), likewise; meaningless where discount is 0.
      scalars: the fields that transitions carry, by name, (N,).
      discount: float32 (N,).
    """

    frames: tf.Tensor | StackedRows
    observation: tf.Tensor
    next_observation: tf.Tensor
    scalars: Tensors
    discount: tf.Tensor


def pools_of_stored_steps(
    episodes: tf.data.Dataset, window: Window, shuffle: bool, seed: int | None, axis: int
) -> tf.data.Dataset:
    """Makes pools from episodes of stored steps, whose blocks are shuffled before unpacking."""

    @without_autograph
    def cut(episode: Tensors) -> StoredChunk:
        return cut_stored_episode(episode["steps"], window)

    @without_autograph
    def unpack(chunks: StoredChunk) -> PackedChunks:
        unpacked = unpack_chunks(chunks, window)
        return unpacked if axis == 0 else stack_rows(unpacked, window.stack_size)

    def make_pool(groups: PackedChunks) -> Pool:
        # The rows of all groups are concatenated.
        num_groups, num_rows = tf.unstack(tf.shape(groups.rows)[:2])
        start = tf.range(num_groups) * num_rows
        groups = groups._replace(index=groups.index + start[:, None, None, None])
        rows, index, length, starts = tf.nest.map_structure(_merge_first_two, groups)
        index = _merge_first_two(index)
        frames = tf.gather(rows, index) if axis == 0 else StackedRows(rows, index)
        return _list_transitions(frames, length, starts, window)

    chunks = episodes.map(cut, num_parallel_calls=_PARALLEL_CALLS)
    chunks = chunks.flat_map(tf.data.Dataset.from_tensor_slices)
    if shuffle:
        chunks = chunks.shuffle(_SHUFFLED_BLOCKS, seed)
    groups = chunks.batch(_BLOCKS_AT_ONCE).map(unpack, num_parallel_calls=_PARALLEL_CALLS)
    size = _POOL_SHUFFLED if shuffle else _POOL_IN_ORDER
    # Padded, since groups differ in their number of rows and the last one has fewer blocks.
    return _make_pools(groups.padded_batch(size // _BLOCKS_AT_ONCE), make_pool, shuffle, seed)


def pools_of_decoded_steps(
    episodes: tf.data.Dataset, window: Window, shuffle: bool, seed: int | None
) -> tf.data.Dataset:
    """Makes pools from episodes of decoded steps, which are shuffled whole."""

    @without_autograph
    def cut(episode: Tensors) -> tf.data.Dataset:
        return cut_steps(episode["steps"], window)

    def make_pool(chunks: Chunk) -> Pool:
        frames = _merge_first_two(chunks.frames)
        return _list_transitions(frames, chunks.length, chunks.starts, window)

    if shuffle:
        chunks = episodes.shuffle(_SHUFFLED_EPISODES, seed).interleave(
            cut, cycle_length=_OPEN_EPISODES, block_length=_POOL_SHUFFLED // _OPEN_EPISODES
        )
    else:
        chunks = episodes.flat_map(cut)
    size = _POOL_SHUFFLED if shuffle else _POOL_IN_ORDER
    return _make_pools(chunks.batch(size), make_pool, shuffle, seed)


def cut_into_batches(
    pools: tf.data.Dataset, stacking: Stacking, batch_size: int, drop_remainder: bool
) -> tf.data.Dataset:
    """Cuts pools into batches of transitions; the rest of a pool begins the next batch.

    Args:
      pools: pairs of a pool and whether it is the empty one that marks the end.
      stacking: how observations are stacked.
      batch_size: transitions per batch; the very last batch may be smaller.
      drop_remainder: whether to drop that one, so that the shapes of batches are static.

    Returns:
      A dataset of dicts: observation, action, reward, discount, next_observation.
    """

    def gather(pool: Pool, start: tf.Tensor, stop: tf.Tensor) -> Tensors:
        def stacks(first: tf.Tensor) -> tf.Tensor:
            return gather_stacks(pool.frames, first[start:stop], stacking)

        return {
            "observation": stacks(pool.observation),
            **{name: column[start:stop] for name, column in pool.scalars.items()},
            "discount": pool.discount[start:stop],
            "next_observation": stacks(pool.next_observation),
        }

    def take(rest: Tensors, pool: Pool, start: tf.Tensor, stop: tf.Tensor) -> Tensors:
        """Takes transitions from the rest of the last pool, followed by this pool."""
        num_left = tf.size(rest["discount"])
        gathered = gather(pool, tf.maximum(start - num_left, 0), tf.maximum(stop - num_left, 0))
        # Concatenating copies, so it is skipped where the rest is used up.
        taken: Tensors = tf.cond(
            start < num_left,
            lambda: {
                name: tf.concat([column[start:stop], gathered[name]], 0)
                for name, column in rest.items()
            },
            lambda: gathered,
        )
        return taken

    @without_autograph
    def keep_rest(rest: Tensors, pool_and_end: tuple[Pool, tf.Tensor]) -> Any:
        pool, is_end = pool_and_end
        count = tf.size(rest["discount"]) + tf.size(pool.discount)
        whole = count // batch_size * batch_size
        stop = whole if drop_remainder else tf.where(is_end, count, whole)
        return take(rest, pool, whole, count), (rest, pool, stop)

    @without_autograph
    def cut(rest: Tensors, pool: Pool, stop: tf.Tensor) -> tf.data.Dataset:
        def batch(start: tf.Tensor) -> Tensors:
            taken = take(rest, pool, start, tf.minimum(start + batch_size, stop))
            if drop_remainder:
                for name, column in taken.items():
                    taken[name] = tf.ensure_shape(column, (batch_size, *column.shape[1:]))
            return taken

        starts = tf.data.Dataset.range(0, tf.cast(stop, tf.int64), batch_size, output_type=tf.int32)
        return starts.map(without_autograph(batch), num_parallel_calls=_PARALLEL_CALLS)

    nothing = gather(_empty_pool(pools), tf.constant(0), tf.constant(0))
    return pools.scan(nothing, keep_rest).flat_map(cut)


def _list_transitions(
    frames: tf.Tensor | StackedRows, length: tf.Tensor, starts: Starts, window: Window
) -> Pool:
    """Lists the transitions of chunks, (chunks, ...), and where their stacks begin in `frames`."""
    found = tf.where(starts.is_valid)
    chunk, slot = tf.unstack(tf.cast(found, tf.int32), axis=1)
    # A chunk has window.length - 1 more frames than steps, and n_step - 1 more slots.
    start = chunk * (tf.shape(starts.is_valid)[1] + window.stack_size)
    last_slot = tf.gather(length, chunk) - 1
    return Pool(
        frames=frames,
        observation=start + slot,
        # Past the episode's end, the next state is the terminal state.
        next_observation=start + tf.minimum(slot, last_slot) + window.n_step,
        scalars={name: tf.gather_nd(column, found) for name, column in starts.scalars.items()},
        discount=tf.gather_nd(starts.discount, found),
    )


def _make_pools(
    chunks: tf.data.Dataset,
    make_pool: Callable[[Any], Pool],
    shuffle: bool,
    seed: int | None,
) -> tf.data.Dataset:
    """Makes pools of batched chunks, shuffles each if asked, and adds an empty one as the end."""

    @without_autograph
    def make(chunks: Any, *seed: tf.Tensor) -> tuple[Pool, bool]:
        pool = make_pool(chunks)
        if shuffle:
            order = tf.range(tf.size(pool.discount))
            order = tf.random.experimental.stateless_shuffle(order, *seed)
            columns = tf.nest.map_structure(lambda c: tf.gather(c, order), pool[1:])
            pool = Pool(pool.frames, *columns)
        return pool, False

    if shuffle:
        seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
        chunks = tf.data.Dataset.zip((chunks, seeds))
    # One at a time, while batches are gathered from the previous one. By default TensorFlow makes
    # several at once, which takes another GB of memory.
    pools = chunks.map(make, num_parallel_calls=1)
    return pools.concatenate(tf.data.Dataset.from_tensors((_empty_pool(pools), True)))


def _empty_pool(pools: tf.data.Dataset) -> Pool:
    spec, _ = pools.element_spec
    pool: Pool = tf.nest.map_structure(
        lambda part: tf.zeros((0, *part.shape[1:]), part.dtype), spec
    )
    return pool


def _merge_first_two(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], 0))
