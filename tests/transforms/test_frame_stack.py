"""`frame_stack` gives the stacks that a slow loop over the steps makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.options import OPTIONS, assert_steps_in_order, in_tiers, number_of, options
from helpers.steps import (
    UNDECODED,
    as_dataset,
    episode_shapes,
    make_all,
    make_steps,
    stack_at,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tfds_atari_replay import frame_stack


def test_the_worked_row_of_the_docstring() -> None:
    steps = make_steps(4)
    a, b, c, zero = steps["observation"][..., 0]
    (episode,) = as_dataset([steps]).apply(frame_stack(2))
    stacks = [step["observation"] for step in tfds.as_numpy(episode["steps"])]
    np.testing.assert_array_equal(stacks, [[zero, a], [a, b], [b, c], [c, zero]])


@settings(deadline=None)
@given(
    shapes=episode_shapes(),
    size=st.integers(1, 6),
    axis=st.sampled_from([0, -1]),
    decoders=st.sampled_from([None, UNDECODED]),
)
@pytest.mark.slow
def test_stacks_are_those_of_a_slow_loop(shapes: Any, size: int, axis: int, decoders: Any) -> None:
    """On episodes and on their concatenated steps; all other fields stay as they were."""
    episodes = make_all(shapes)
    stacked = list(as_dataset(episodes, decoders).apply(frame_stack(size, axis=axis)))
    assert len(stacked) == len(episodes)
    flat = as_dataset(episodes).flat_map(lambda episode: episode["steps"])
    in_a_row = flat.apply(frame_stack(size, axis=axis)).as_numpy_iterator()
    for number, (episode, steps) in enumerate(zip(stacked, episodes, strict=True)):
        assert int(episode["episode_id"]) == number
        got = list(tfds.as_numpy(episode["steps"]))
        assert len(got) == len(steps["action"])
        for index, step in enumerate(got):
            expected = {name: column[index] for name, column in steps.items()}
            expected["observation"] = np.moveaxis(stack_at(steps, index, size), 0, axis)
            for other in (step, next(in_a_row)):
                assert set(other) == set(expected)
                for name, value in expected.items():
                    np.testing.assert_array_equal(other[name], value, name)
                    assert other[name].dtype == value.dtype
    assert next(in_a_row, None) is None


@pytest.mark.parametrize("decoders", [None, UNDECODED], ids=["decoded", "undecoded"])
def test_stacked_episodes_know_their_length(decoders: Any) -> None:
    """Where the original steps know theirs; filtered ones do not."""
    dataset = as_dataset(make_all([(70, True, True), (3, False, False)]), decoders)
    assert [len(episode["steps"]) for episode in dataset.apply(frame_stack())] == [70, 3]
    if decoders is None:
        filtered = dataset.map(
            lambda episode: {"steps": episode["steps"].filter(lambda step: step["action"] > 3)}
        )
        (episode, _) = filtered.apply(frame_stack())
        assert len(list(episode["steps"])) == sum(n % 18 > 3 for n in range(69))


# Ten blocks each, so that there is something to overtake.
EPISODES = make_all([(640, True, True)] * 3)


@pytest.mark.parametrize("name", in_tiers(None, "deterministic", "every optimization"))
def test_stacks_keep_their_frames(name: str) -> None:
    """No option of tf.data mixes frames: of episodes, decoded or not, or of concatenated steps."""
    made = options(**OPTIONS[name])
    stacked = [
        list(episode["steps"].as_numpy_iterator())
        for decoders in (None, UNDECODED)
        for episode in as_dataset(EPISODES, decoders).apply(frame_stack()).with_options(made)
    ]
    flat = as_dataset(EPISODES).flat_map(lambda episode: episode["steps"])
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
