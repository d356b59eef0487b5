"""Windows of frames, made on the fly: `tf.data` in, `tf.data` out.

A transition needs a window of stack_size + n_step consecutive frames. Episodes are cut into chunks
of `BLOCK_LENGTH` steps, each with the frames before it that its windows need; a window belongs to
the chunk in which it ends. Chunks are collected in a pool of single frames, from which batches are
gathered, in order or shuffled.
"""

from __future__ import annotations

import dataclasses
import numbers
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow as tf

from tfds_atari_replay import atari_replay
from tfds_atari_replay import steps as steps_lib
from tfds_atari_replay.steps import BLOCK_LENGTH, LEAD

Transform: TypeAlias = "Callable[[tf.data.Dataset], tf.data.Dataset]"
Tensors: TypeAlias = dict[str, Any]

# Chunks in a pool. Of 192, a batch of 256 holds steps of 141 on average; in memory they are 90 MB,
# twice, since the next pool is made while batches are gathered from one.
_POOL_SHUFFLED = 192
_POOL_IN_ORDER = 16

# Blocks unpacked by one call: of a single one, half of the time is TensorFlow's for its many calls.
_BLOCKS_AT_ONCE = 16

# What is shuffled before it is unpacked: half a million steps, 20 to 150 MB; episodes whose steps
# come decoded cannot be cut up, and the longest have 27,000 steps.
_SHUFFLED_BLOCKS = 8192
_SHUFFLED_EPISODES = 1024
_OPEN_EPISODES = 96  # each with a few unpacked blocks

# Fixed, since TensorFlow's AUTOTUNE begins with one and takes a second to find out.
_PARALLEL = os.cpu_count() or 1

_STEPS = atari_replay.features()["steps"]
_NEEDED = ("observation", "action", "reward", "is_first", "is_terminal")


def frame_stack(stack_size: int = 4, axis: int = 0) -> Transform:
    """Replaces each observation by the last `stack_size` frames, oldest first.

    Frames before a reset are zeros, as in Dopamine; so are those before a piece that begins in the
    middle of an episode, though there they are only unknown (`transitions` leaves such steps out).
    With stack_size=2, for frames a b c of an episode and the zeros 0 of its terminal state:

      a b c 0  ->  0a ab bc c0

    Use it as `dataset.apply(frame_stack())`, on episodes, whose steps may come undecoded, or on
    steps of many episodes one after the other, which need `is_first` and `is_last`.

    Args:
      stack_size: frames per observation, at least 1.
      axis: 0 for observations (stack_size, 84, 84), -1 for (84, 84, stack_size).

    Returns:
      A function from a dataset to a dataset, for `tf.data.Dataset.apply`. It raises ValueError if
      the dataset holds neither episodes nor steps.

    Raises:
      ValueError: stack_size or axis is out of range.
    """
    _check(stack_size=stack_size, axis=axis)

    def apply(dataset: tf.data.Dataset) -> tf.data.Dataset:
        needed = ("observation", "is_first", "is_last")
        if not _has_episodes(dataset.element_spec):
            _check_steps(dataset.element_spec, needed, dataset.element_spec)
            return _stack_steps(dataset, stack_size, axis)
        is_stored = _check_episodes(dataset.element_spec, needed)

        @_as_it_is
        def stack(episode: Tensors) -> Tensors:
            steps = _decode(episode["steps"]) if is_stored else episode["steps"]
            return {**episode, "steps": _stack_steps(steps, stack_size, axis)}

        return dataset.map(stack)

    return apply


def transitions(
    stack_size: int = 4,
    n_step: int = 1,
    gamma: float = 0.99,
    batch_size: int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    axis: int = 0,
) -> Transform:
    """Turns episodes into transitions, each that is whole once.

    Left out are only those whose history or future a checkpoint cut off. For an episode of three
    steps with actions x y z and rewards 1 2 4, with stack_size=2, n_step=2, gamma=0.5:

      observation  action  reward  discount  next_observation
      0a           x       2       0.25      bc
      ab           y       4       0         c0, means nothing
      bc           z       4       0         c0, means nothing

    Use it as `dataset.apply(transitions(batch_size=256, shuffle=True))`. It is fastest, and mixes
    best, if steps come undecoded: `decoders={"steps": tfds.decode.SkipDecoding()}`.

    Shuffled, batches are drawn without replacement from a pool of 12,288 steps: 192 blocks of 64
    consecutive steps, from random places among the next 500,000 steps, and the files hold episodes
    in hashed order. Of decoded episodes the pool has the next 128 steps of 96 random ones.

    Args:
      stack_size: frames per observation, at least 1.
      n_step: steps from observation to next_observation, at least 1.
      gamma: discount per step, 0 to 1.
      batch_size: transitions per batch, the last one of an epoch may have fewer; None for single
        transitions, not batched.
      shuffle: whether to mix; another order in each iteration.
      seed: makes the order of shuffling reproducible.
      axis: 0 for observations (stack_size, 84, 84), -1 for (84, 84, stack_size).

    Returns:
      A function from a dataset of episodes to one of transitions, for `tf.data.Dataset.apply`. It
      raises ValueError if the dataset does not hold episodes. A transition is a dict:

      observation: uint8 (stack_size, 84, 84), as `frame_stack` makes it.
      action: int64.
      reward: float32, sum of gamma**k * reward of n_step steps, or up to the episode's end.
      discount: float32, gamma**n_step, or 0 if the episode ended within these steps.
      next_observation: as observation, n_step steps later; where discount is 0 it means nothing.

    Raises:
      ValueError: an argument is out of range.
    """
    _check(stack_size=stack_size, n_step=n_step, gamma=gamma, batch_size=batch_size, axis=axis)
    window = _Window(stack_size, n_step, gamma)

    def apply(dataset: tf.data.Dataset) -> tf.data.Dataset:
        is_stored = _check_episodes(dataset.element_spec, _NEEDED)
        if is_stored and window.length <= LEAD + 1:
            chunks, make_pool = _chunks_of_blocks(dataset, window, shuffle, seed)
        else:
            steps = dataset.map(
                _as_it_is(
                    lambda episode: _decode(episode["steps"]) if is_stored else episode["steps"]
                )
            )
            chunks, make_pool = _chunks_of_steps(steps, window, shuffle, seed)
        pools = _pools(chunks, make_pool, shuffle, seed)
        batches = _batches(pools, window, batch_size or BLOCK_LENGTH, axis)
        return batches.unbatch() if batch_size is None else batches.prefetch(2)

    return apply


@dataclasses.dataclass(frozen=True)
class _Window:
    stack_size: int
    n_step: int
    gamma: float

    @property
    def length(self) -> int:
        """Frames of a window: the stack of a step and those up to n_step steps later."""
        return self.stack_size + self.n_step

    @property
    def slots(self) -> int:
        """Windows that can end in a chunk.

        Slot i of the chunk that begins at step c is for the window of step c - n_step + i. The last
        n_step - 1 are for windows that reach beyond a terminal state.
        """
        return BLOCK_LENGTH + self.n_step - 1

    def of_steps(self, steps: Tensors) -> Tensors:
        """Computes what transitions have beside observations.

        Args:
          steps: columns (stack_size - 1 + m + n_step,); beside those of RLDS, is_real is false for
            steps that there are not, and is_known for those of which one cannot know.

        Returns:
          For the m steps that have stack_size - 1 before them and n_step after them: action,
          reward, discount, and is_valid, whether there is a transition.
        """
        first, count = self.stack_size - 1, tf.size(steps["action"]) - self.length + 1

        def later(name: str, number: int) -> tf.Tensor:
            return steps[name][first + number : first + number + count]

        reward = later("reward", 0)
        is_over = later("is_terminal", 1)
        for number in range(1, self.n_step):
            reward += tf.where(is_over, 0.0, self.gamma**number * later("reward", number))
            is_over |= later("is_terminal", number + 1)
        is_step = later("is_real", 0) & ~later("is_terminal", 0)
        is_whole = later("is_known", -first) & (is_over | later("is_real", self.n_step))
        return {
            "action": later("action", 0),
            "reward": reward,
            "discount": tf.where(is_over, 0.0, self.gamma**self.n_step),
            "is_valid": is_step & is_whole,
        }


def _chunks_of_blocks(
    episodes: tf.data.Dataset, window: _Window, shuffle: bool, seed: int | None
) -> Any:
    """Chunks of episodes whose steps are not decoded, and what makes a pool of them."""
    info = _STEPS.feature.get_tensor_info()
    frame_rows, *row_shape = info["observation"].shape
    chunk_length = window.length - 1 + BLOCK_LENGTH

    @_as_it_is
    def cut(episode: Tensors) -> Tensors:
        stored = episode["steps"]
        columns = {
            name: steps_lib.decode_column(stored[name], info[name])
            for name in _NEEDED
            if name != "observation"
        }
        blocks = stored["observation"]
        # From n_step before the first block to the slots of the last.
        before = window.length - 1
        after = tf.size(blocks) * BLOCK_LENGTH - tf.size(columns["action"]) + window.n_step - 1
        starts = window.of_steps(_padded(columns, before, after))
        chunk, slot = tf.range(tf.size(blocks))[:, tf.newaxis], tf.range(window.slots)
        chunks = {
            name: tf.gather(values, chunk * BLOCK_LENGTH + slot) for name, values in starts.items()
        }
        # A window that ends in the next chunk is that chunk's.
        is_last = chunk == tf.size(blocks) - 1
        chunks["is_valid"] &= (slot < BLOCK_LENGTH) | is_last
        return {"block": blocks, **chunks}

    @_as_it_is
    def unpack(chunks: Tensors) -> Tensors:
        blocks = chunks.pop("block")
        rows, index, length = steps_lib.unpack_blocks(blocks, info["observation"])
        index = index[:, LEAD + 1 - window.length :]
        index = tf.ensure_shape(index, (None, chunk_length, frame_rows))
        return {**chunks, "rows": rows, "index": index, "length": length}

    def make_pool(groups: Tensors) -> Tensors:
        merged = {
            name: tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], 0))
            for name, values in groups.items()
        }
        rows, index = merged.pop("rows"), merged.pop("index")
        block = tf.range(tf.shape(rows)[0])[:, tf.newaxis, tf.newaxis]
        rows_of_block = tf.shape(rows)[1]
        rows = tf.reshape(rows, (-1, rows.shape[-1]))
        frames = tf.gather(rows, index + block * rows_of_block)
        return _pool(tf.reshape(frames, (-1, frame_rows, row_shape[0])), merged, window)

    chunks = episodes.map(cut, num_parallel_calls=_PARALLEL)
    chunks = chunks.flat_map(tf.data.Dataset.from_tensor_slices)
    if shuffle:
        chunks = chunks.shuffle(_SHUFFLED_BLOCKS, seed)
    groups = chunks.batch(_BLOCKS_AT_ONCE).map(unpack, num_parallel_calls=_PARALLEL)
    size = _POOL_SHUFFLED if shuffle else _POOL_IN_ORDER
    # Groups have more or fewer rows, and the last group fewer blocks: that is padded.
    return groups.padded_batch(size // _BLOCKS_AT_ONCE), make_pool


def _chunks_of_steps(
    episodes: tf.data.Dataset, window: _Window, shuffle: bool, seed: int | None
) -> Any:
    """Chunks of nested datasets of steps, and what makes a pool of them."""

    def make_pool(chunks: Tensors) -> Tensors:
        frames = chunks.pop("frames")
        return _pool(tf.reshape(frames, (-1, *frames.shape[2:])), chunks, window)

    if not shuffle:
        chunks = episodes.flat_map(_as_it_is(lambda steps: _chunks(steps, window)))
        return chunks.batch(_POOL_IN_ORDER), make_pool
    chunks = episodes.shuffle(_SHUFFLED_EPISODES, seed).interleave(
        _as_it_is(lambda steps: _chunks(steps, window)),
        cycle_length=_OPEN_EPISODES,
        block_length=_POOL_SHUFFLED // _OPEN_EPISODES,
    )
    return chunks.batch(_POOL_SHUFFLED), make_pool


def _chunks(steps: tf.data.Dataset, window: _Window) -> tf.data.Dataset:
    """Cuts the steps of an episode into chunks, each with the steps that its windows need."""
    before = window.length - 1
    height, width, _ = steps.element_spec["observation"].shape

    @_as_it_is
    def add_steps_before(state: Tensors, steps: Tensors) -> tuple[Tensors, Tensors]:
        steps["observation"] = tf.squeeze(steps["observation"], -1)
        length = tf.size(steps["action"])
        ones = tf.ones_like(steps["is_terminal"])
        # Before the first step nothing is real; what it was is known if that is a reset.
        is_known = state["is_known"] | (~state["has_begun"] & steps["is_first"][0])
        steps = {
            **{name: steps[name] for name in ("observation", "action", "reward", "is_terminal")},
            "is_real": ones,
            "is_known": ones,
        }
        state = {**state, "is_known": is_known}
        joined = {name: tf.concat([state[name], column], 0) for name, column in steps.items()}
        kept = {name: column[-before:] for name, column in joined.items()}
        frames = joined.pop("observation")
        missing = BLOCK_LENGTH - length
        columns = {
            name: tf.pad(column, [[0, missing + window.n_step - 1]])
            for name, column in joined.items()
        }
        return {**kept, "has_begun": True}, {
            "frames": tf.ensure_shape(
                tf.pad(frames, [[0, missing], [0, 0], [0, 0]]),
                (before + BLOCK_LENGTH, height, width),
            ),
            "length": length,
            **window.of_steps(columns),
        }

    spec = steps.element_spec
    start = {
        "observation": tf.zeros((before, height, width), spec["observation"].dtype),
        **{name: tf.zeros(before, spec[name].dtype) for name in ("action", "reward")},
        **{name: tf.zeros(before, tf.bool) for name in ("is_terminal", "is_real", "is_known")},
        "has_begun": False,
    }
    return steps.batch(BLOCK_LENGTH).scan(start, add_steps_before)


def _padded(columns: Tensors, before: int, after: tf.Tensor) -> Tensors:
    """Adds steps that are not real; those before the first are known if that is a reset."""
    ones = tf.ones_like(columns["is_first"])
    is_known = tf.concat(
        [tf.repeat(columns["is_first"][:1], before), ones, tf.repeat(False, after)], 0
    )
    columns = {**columns, "is_real": ones}
    padded = {name: tf.pad(column, [[before, after]]) for name, column in columns.items()}
    return {**padded, "is_known": is_known}


def _pool(frames: tf.Tensor, chunks: Tensors, window: _Window) -> Tensors:
    """Lists the transitions of chunks, with the places of their stacks among the frames."""
    found = tf.where(chunks["is_valid"])
    chunk, slot = tf.unstack(tf.cast(found, tf.int32), axis=1)
    first = chunk * (window.length - 1 + BLOCK_LENGTH)
    last_slot = tf.gather(chunks["length"], chunk) - 1
    return {
        "frames": frames,
        "observation": first + slot,
        # The one that follows a terminal state is taken to be the terminal state.
        "next_observation": first + tf.minimum(slot, last_slot) + window.n_step,
        **{name: tf.gather_nd(chunks[name], found) for name in ("action", "reward", "discount")},
    }


def _pools(
    chunks: tf.data.Dataset,
    make_pool: Callable[[Tensors], Tensors],
    shuffle: bool,
    seed: int | None,
) -> tf.data.Dataset:
    """Makes pools of batched chunks, in random order if `shuffle`, and an empty one at the end."""

    @_as_it_is
    def make(chunks: Tensors, *seed: tf.Tensor) -> tuple[Tensors, bool]:
        pool = make_pool(chunks)
        if shuffle:
            order = tf.range(tf.size(pool["action"]))
            order = tf.random.experimental.stateless_shuffle(order, *seed)
            listed = {name: tf.gather(pool[name], order) for name in pool if name != "frames"}
            pool = {"frames": pool["frames"], **listed}
        return pool, False

    if shuffle:
        seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
        chunks = tf.data.Dataset.zip(chunks, seeds)
    # One at a time, while batches are gathered from the one before. Without a number TensorFlow
    # makes several at a time, and memory grows by a GB.
    pools = chunks.map(make, num_parallel_calls=1)
    return pools.concatenate(tf.data.Dataset.from_tensors((_empty_pool(pools), True)))


def _empty_pool(pools: tf.data.Dataset) -> Tensors:
    spec, _ = pools.element_spec
    return {name: tf.zeros((0, *spec[name].shape[1:]), spec[name].dtype) for name in spec}


def _batches(
    pools: tf.data.Dataset, window: _Window, batch_size: int, axis: int
) -> tf.data.Dataset:
    """Cuts pools into batches; what is left of a pool comes first with the next."""

    def gather(pool: Tensors, start: tf.Tensor, stop: tf.Tensor) -> Tensors:
        return {
            name: _stack(pool["frames"], values[start:stop], window.stack_size, axis)
            if name in ("observation", "next_observation")
            else values[start:stop]
            for name, values in pool.items()
            if name != "frames"
        }

    def take(left: Tensors, pool: Tensors, start: tf.Tensor, stop: tf.Tensor) -> Tensors:
        number_left = tf.size(left["action"])
        gathered = gather(
            pool, tf.maximum(start - number_left, 0), tf.maximum(stop - number_left, 0)
        )
        # Joining copies, so only where there is something to join.
        taken: Tensors = tf.cond(
            start < number_left,
            lambda: {
                name: tf.concat([values[start:stop], gathered[name]], 0)
                for name, values in left.items()
            },
            lambda: gathered,
        )
        return taken

    @_as_it_is
    def keep_rest(left: Tensors, pool_and_end: tuple[Tensors, tf.Tensor]) -> Any:
        pool, is_end = pool_and_end
        count = tf.size(left["action"]) + tf.size(pool["action"])
        whole = count // batch_size * batch_size
        rest = take(left, pool, whole, count)
        return rest, (left, pool, tf.where(is_end, count, whole))

    @_as_it_is
    def cut(left: Tensors, pool: Tensors, stop: tf.Tensor) -> tf.data.Dataset:
        starts = tf.data.Dataset.range(0, tf.cast(stop, tf.int64), batch_size, output_type=tf.int32)
        return starts.map(
            _as_it_is(lambda start: take(left, pool, start, tf.minimum(start + batch_size, stop))),
            num_parallel_calls=_PARALLEL,
        )

    start = gather(_empty_pool(pools), tf.constant(0), tf.constant(0))
    return pools.scan(start, keep_rest).flat_map(cut)


def _stack(frames: tf.Tensor, start: tf.Tensor, stack_size: int, axis: int) -> tf.Tensor:
    """Gathers the stacks that begin at the frames `start`."""
    index = start[:, tf.newaxis] + tf.range(stack_size)
    if axis == 0:
        return tf.gather(frames, index)
    if frames.dtype == tf.uint8 and stack_size == 4:
        # Interleaving bytes as words takes 18 us a stack, where tf.transpose takes 30.
        word = sum(
            tf.cast(tf.gather(frames, start + number), tf.int32) * 256**number
            for number in range(stack_size)
        )
        return tf.bitcast(word, tf.uint8)
    return tf.transpose(tf.gather(frames, index), (0, 2, 3, 1))


def _stack_steps(steps: tf.data.Dataset, stack_size: int, axis: int) -> tf.data.Dataset:
    """Stacks the frames of steps, of one episode or of several one after the other."""
    spec = steps.element_spec
    height, width, _ = spec["observation"].shape
    before = stack_size - 1

    def starts_of(batch: Tensors, was_last: tf.Tensor) -> tf.Tensor:
        after_last = tf.concat([was_last, batch["is_last"][:-1]], 0)
        return batch["is_first"] | after_last

    @_as_it_is
    def stack(state: Any, batch: Tensors) -> Any:
        frames_before, starts_before, was_last = state
        frames = tf.concat([frames_before, tf.squeeze(batch["observation"], -1)], 0)
        starts = tf.concat([starts_before, starts_of(batch, was_last)], 0)
        place = tf.range(tf.size(batch["is_last"])) + stack_size - 1
        index, reaches = [place], tf.ones_like(place, tf.bool)
        for number in range(1, stack_size):
            # One more frame back, if no episode starts between.
            reaches &= ~tf.gather(starts, place - number + 1)
            index.insert(0, tf.where(reaches, place - number, -1))
        zero = tf.zeros_like(frames[:1])
        stacked = tf.gather(tf.concat([zero, frames], 0), tf.stack(index, 1) + 1)
        if axis == -1:
            stacked = tf.transpose(stacked, (0, 2, 3, 1))
        kept = slice(tf.size(starts) - before, None)
        state = frames[kept], starts[kept], batch["is_last"][-1:]
        return state, {**batch, "observation": stacked}

    start = (
        tf.zeros((before, height, width), spec["observation"].dtype),
        tf.ones(before, tf.bool),
        tf.ones(1, tf.bool),
    )
    stacked = steps.batch(BLOCK_LENGTH).scan(start, stack).unbatch()
    length = steps.cardinality()
    return tf.cond(  # Nobody knows it of filtered steps, for example.
        length >= 0,
        lambda: stacked.apply(tf.data.experimental.assert_cardinality(length)),
        lambda: stacked,
    )


def _as_it_is(function: Any) -> Any:
    """Keeps AutoGraph from rewriting a function that needs none of it: that takes a second."""
    return tf.autograph.experimental.do_not_convert(function)


def _decode(stored: Tensors) -> tf.data.Dataset:
    fields = {name: _STEPS.feature[name] for name in stored}
    return steps_lib.Steps(fields).decode_example(stored)


def _check(
    *,
    stack_size: int,
    axis: int,
    n_step: int = 1,
    gamma: float = 0.0,
    batch_size: int | None = None,
) -> None:
    sizes = {"stack_size": stack_size, "n_step": n_step, "batch_size": batch_size}
    for name, value in sizes.items():
        if name == "batch_size" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"{name} must be a whole number, at least 1 (got {value!r})")
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must be from 0 to 1 (got {gamma!r})")
    if axis not in (0, -1):
        raise ValueError(f"axis must be 0, frames first, or -1, frames last (got {axis!r})")


def _has_episodes(spec: Any) -> bool:
    return isinstance(spec, Mapping) and "steps" in spec


def _check_episodes(spec: Any, needed: tuple[str, ...]) -> bool:
    """Checks that elements are episodes; returns whether their steps are stored, not decoded."""
    if not _has_episodes(spec):
        hint = ""
        if isinstance(spec, Mapping) and "observation" in spec:
            hint = " These are steps; apply it to the episodes they come from."
        raise ValueError(
            "Expected a dataset of episodes, as tfds.load gives them: a dict with 'steps'."
            f"{hint}\nGot {spec}"
        )
    steps = spec["steps"]
    if isinstance(steps, tf.data.DatasetSpec):
        is_single = steps.is_compatible_with(tf.data.DatasetSpec(steps.element_spec))
        if is_single:
            _check_steps(steps.element_spec, needed, spec)
        is_stored = False
    else:
        _check_fields(steps, needed, spec)
        unknown = sorted(set(steps) - set(_STEPS.feature))
        if unknown:
            raise ValueError(f"Undecoded steps have unknown fields {unknown}.\nGot {spec}")
        is_single = all(
            isinstance(steps[name], tf.TensorSpec)
            and steps[name].dtype == tf.string
            and steps[name].shape.rank == bool(_STEPS.feature[name].shape)
            for name in needed
        )
        is_stored = True
    if not is_single:
        raise ValueError(
            "Expected a dataset of single episodes: 'steps' a nested dataset, or what "
            "tfds.decode.SkipDecoding() gives. Are these batches of episodes? Then apply it before "
            f".batch().\nGot {spec}"
        )
    return is_stored


def _check_steps(steps: Any, needed: tuple[str, ...], spec: Any) -> None:
    _check_fields(steps, needed, spec)
    for name in needed:
        field, shape = steps[name], (None, None, 1) if name == "observation" else ()
        if not isinstance(field, tf.TensorSpec) or not field.shape.is_compatible_with(shape):
            raise ValueError(
                f"Expected single steps, {name!r} of the shape "
                f"{'(height, width, 1)' if shape else '()'}; batches of steps need .unbatch() "
                f"before.\nGot {spec}"
            )


def _check_fields(steps: Any, needed: tuple[str, ...], spec: Any) -> None:
    if not isinstance(steps, Mapping):
        raise ValueError(f"Expected steps or episodes, which are dicts.\nGot {spec}")
    missing = sorted(set(needed) - set(steps))
    if missing:
        raise ValueError(
            f"Steps need the fields {sorted(needed)}; {missing} is missing. Were the others left "
            f"out by PartialDecoding?\nGot {spec}"
        )
