"""Episodes of numbered steps, and the transitions that a slow loop finds in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from hypothesis import strategies as st

from tfds_atari_replay import schema

FEATURES = schema.features()
UNDECODED = {"steps": tfds.decode.SkipDecoding()}

Steps = dict[str, Any]
Transition = Any


def make_steps(
    length: int, starts_at_reset: bool = True, ends_in_terminal: bool = True, first_id: int = 0
) -> Steps:
    """Columns of an episode of RLDS steps; frames and rewards carry the number of their step."""
    ids = np.arange(first_id, first_id + length)
    frames = np.full((length, 84, 84, 1), 9, np.uint8)
    frames[:, 0, :4, 0] = (ids + 1).astype("<u4")[:, np.newaxis].view(np.uint8)
    frames[:, 50, :, 0] = (ids % 251)[:, np.newaxis]
    steps: Steps = {
        "observation": frames,
        "action": ids % 18,
        "reward": (ids % 7 - 3).astype(np.float32),
        "unclipped_reward": np.where(ids % 5 == 4, np.nan, (ids % 7 - 3) * 10).astype(np.float32),
        "discount": np.ones(length, np.float32),
        **{name: np.zeros(length, np.bool_) for name in ("is_first", "is_last", "is_terminal")},
    }
    steps["is_first"][0] = starts_at_reset
    steps["is_last"][-1] = True
    if ends_in_terminal:
        for name in ("observation", "action", "reward", "unclipped_reward"):
            steps[name][-1] = 0
        steps["is_terminal"][-1] = True
        steps["discount"][-2:] = 0
    return steps


def as_dataset(episodes: list[Steps], decoders: Any = None) -> tf.data.Dataset:
    """Episodes as tfds.load gives them."""
    written = [
        FEATURES.serialize_example(
            {
                "steps": steps,
                "episode_id": number,
                "checkpoint_id": 0,
                "episode_return": 0.0,
                "is_complete": False,
                "unclipped_return": 0.0,
            }
        )
        for number, steps in enumerate(episodes)
    ]
    dataset = tf.data.Dataset.from_tensor_slices(written)
    return dataset.map(lambda data: FEATURES.deserialize_example(data, decoders=decoders))


def stack_at(steps: Steps, step: int, size: int) -> Any:
    """The frames up to a step, zeros before the first."""
    zero = np.zeros((84, 84), np.uint8)
    frames = steps["observation"][..., 0]
    return np.stack([frames[i] if i >= 0 else zero for i in range(step - size + 1, step + 1)])


def expected_transitions(
    steps: Steps, size: int, n_step: int, gamma: float, reward: str = "reward"
) -> Iterator[Transition]:
    """The transitions of an episode, step by step."""
    length = len(steps["action"])
    ended = bool(steps["is_terminal"][-1])
    for step in range(length):
        if step - size + 1 < 0 and not steps["is_first"][0]:
            continue
        after = step + n_step
        if steps["is_terminal"][step] or (after >= length and not ended):
            continue
        is_over = ended and after >= length - 1
        after = min(after, length - 1)
        rewards = [gamma**k * r for k, r in enumerate(steps[reward][step:after])]
        yield (
            stack_at(steps, step, size),
            int(steps["action"][step]),
            np.float32(np.sum(rewards)),
            np.float32(0 if is_over else gamma**n_step),
            stack_at(steps, after, size),
        )


def as_tuple(transition: Any) -> Transition:
    """The fields in the order of `expected_transitions`, after a look at their dtypes."""
    dtypes = {name: value.dtype for name, value in transition.items()}
    assert dtypes == {
        "observation": np.uint8,
        "action": np.int64,
        "reward": np.float32,
        "discount": np.float32,
        "next_observation": np.uint8,
    }
    names = ("observation", "action", "reward", "discount", "next_observation")
    return tuple(transition[name] for name in names)


def unbatched(batches: Any) -> list[Transition]:
    """Single transitions, of batches in NumPy."""
    return [row for batch in batches for row in zip(*as_tuple(batch), strict=True)]


def assert_equal(got: list[Transition], expected: list[Transition]) -> None:
    """Compares transitions in their order."""
    assert [row[1] for row in got] == [row[1] for row in expected]
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_allclose(ours[2:4], theirs[2:4], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(ours[4], theirs[4])


def by_number(transitions: list[Transition]) -> list[Transition]:
    """Sorted by the number in the newest frame."""
    return sorted(transitions, key=lambda row: row[0][-1, 0, :4].tobytes()[::-1])


def make_all(shapes: list[tuple[int, bool, bool]]) -> list[Steps]:
    """Episodes whose steps are numbered through."""
    ends = np.cumsum([length for length, _, _ in shapes]).tolist()
    return [
        make_steps(*shape, first_id=end - shape[0]) for shape, end in zip(shapes, ends, strict=True)
    ]


def episode_shapes() -> st.SearchStrategy[list[tuple[int, bool, bool]]]:
    """Generates arguments of `make_all`: short episodes, and some that end near a block's end."""
    lengths = st.one_of(st.integers(1, 12), st.integers(60, 70), st.integers(126, 131))
    return st.lists(st.tuples(lengths, st.booleans(), st.booleans()), min_size=1, max_size=6)
