"""No option of tf.data changes what is read, though it reaches into nested datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from helpers.cases import cases
from helpers.steps import UNDECODED, as_dataset, make_all

from tfds_atari_replay import frame_stack, transitions

# Ten blocks each, so that there is something to overtake.
EPISODES = make_all([(640, True, True)] * 12)


def options(**settings: Any) -> tf.data.Options:
    """Options with `deterministic` off and these on; two underscores lead into a group."""
    made = tf.data.Options()
    made.deterministic = False
    for name, value in settings.items():
        *groups, last = name.split("__")
        group = made
        for part in groups:
            group = getattr(group, part)
        setattr(group, last, value)
    return made


OPTIMIZATIONS = [
    name for name in dir(tf.data.Options().experimental_optimization) if not name.startswith("_")
]
OPTIONS = {
    "deterministic": {},
    "autotune off": {"autotune__enabled": False},
    "autotune by gradient": {
        "autotune__autotune_algorithm": tf.data.experimental.AutotuneAlgorithm.GRADIENT_DESCENT
    },
    "one thread": {
        "threading__private_threadpool_size": 1,
        "threading__max_intra_op_parallelism": 1,
    },
    "many threads": {"threading__private_threadpool_size": 16},
    "slack": {"experimental_slack": True},
    "warm start": {"experimental_warm_start": True},
    "symbolic checkpoint": {"experimental_symbolic_checkpoint": True},
    "external state": {
        "experimental_external_state_policy": tf.data.experimental.ExternalStatePolicy.IGNORE
    },
    "every optimization": {f"experimental_optimization__{name}": True for name in OPTIMIZATIONS},
    "no optimization": {f"experimental_optimization__{name}": False for name in OPTIMIZATIONS},
}


def number_of(frames: Any) -> Any:
    """The number of the step that a frame carries; 0 for the zeros of no step."""
    return np.ascontiguousarray(frames[..., 0, :4]).view("<u4")[..., 0].astype(np.int64)


def in_tiers(quick: str | None, *slow: str) -> list[Any]:
    """The names of OPTIONS, all but these in `make test-exhaustive`."""
    others = [name for name in OPTIONS if name not in (quick, *slow)]
    return cases(*filter(None, [quick]), slow=slow, exhaustive=others)


def facts(numbers: Any) -> Any:
    """Action and reward of the steps of these numbers, as `make_steps` gives them."""
    ids = numbers - 1
    return ids % 18 * (numbers > 0), (ids % 7 - 3) * (numbers > 0)


def assert_steps_in_order(steps: Any, length: int) -> None:
    """Each step has its own frame, action and reward, and they come one after the other."""
    columns = {name: np.array([step[name] for step in steps]) for name in steps[0]}
    numbers = number_of(columns["observation"][..., 0])
    assert len(numbers) == length
    np.testing.assert_array_equal(np.diff(numbers[:-1]), 1)
    assert numbers[-1] == 0
    action, reward = facts(numbers)
    np.testing.assert_array_equal(columns["action"], action)
    np.testing.assert_array_equal(columns["reward"], reward)
    np.testing.assert_array_equal(columns["is_last"], np.arange(length) == length - 1)


@pytest.mark.parametrize("name", in_tiers("deterministic", "many threads", "every optimization"))
def test_steps_keep_their_frames_and_their_order(name: str) -> None:
    """Frames lie in blocks and scalars in columns: what is joined belongs together."""
    dataset = as_dataset(EPISODES).with_options(options(**OPTIONS[name]))
    for episode in dataset:
        assert_steps_in_order(list(episode["steps"].as_numpy_iterator()), 640)


@pytest.mark.parametrize("name", in_tiers("many threads", "deterministic", "every optimization"))
@pytest.mark.parametrize(
    ("decoders", "shuffle"),
    cases((UNDECODED, True), slow=[(None, False), (UNDECODED, False)], exhaustive=[(None, True)]),
)
def test_transitions_keep_their_frames(name: str, decoders: Any, shuffle: bool) -> None:
    """Batches may come in another order, but not a step with another's action."""
    dataset = as_dataset(EPISODES[:4], decoders).apply(
        transitions(batch_size=100, shuffle=shuffle, seed=0)
    )
    seen = []
    for batch in dataset.with_options(options(**OPTIONS[name])).as_numpy_iterator():
        numbers = number_of(batch["observation"])
        action, reward = facts(numbers[:, -1])
        np.testing.assert_array_equal(batch["action"], action)
        np.testing.assert_array_equal(batch["reward"], reward)
        following = number_of(batch["next_observation"])
        np.testing.assert_array_equal(following[:, :-1], numbers[:, 1:])
        is_over = batch["discount"] == 0
        np.testing.assert_array_equal(following[:, -1], (numbers[:, -1] + 1) * ~is_over)
        seen += numbers[:, -1].tolist()
    expected = np.arange(1, 4 * 640 + 1)
    np.testing.assert_array_equal(np.sort(seen), expected[expected % 640 != 0])


@pytest.mark.parametrize("name", in_tiers(None, "deterministic", "every optimization"))
def test_stacks_keep_their_frames(name: str) -> None:
    """Of episodes, decoded or not, and of steps one after the other."""
    made = options(**OPTIONS[name])
    stacked = [
        list(episode["steps"].as_numpy_iterator())
        for decoders in (None, UNDECODED)
        for episode in as_dataset(EPISODES[:3], decoders).apply(frame_stack()).with_options(made)
    ]
    flat = as_dataset(EPISODES[:3]).flat_map(lambda episode: episode["steps"])
    in_a_row = list(flat.apply(frame_stack()).with_options(made).as_numpy_iterator())
    stacked += [in_a_row[start : start + 640] for start in range(0, 3 * 640, 640)]
    assert len(stacked) == 9
    for steps in stacked:
        newest = [{**s, "observation": s["observation"][-1][..., np.newaxis]} for s in steps]
        assert_steps_in_order(newest, 640)
        numbers = number_of(np.array([step["observation"] for step in steps]))
        for back in range(1, 4):
            np.testing.assert_array_equal(numbers[back:, 3 - back], numbers[:-back, 3])
            np.testing.assert_array_equal(numbers[:back, 3 - back], 0)
