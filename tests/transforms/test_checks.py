"""Transforms accept episodes and steps of any fields, and refuse other datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from helpers.steps import (
    UNDECODED,
    as_dataset,
    assert_equal,
    expected_transitions,
    make_all,
    make_steps,
    stack_at,
    unbatched,
)

from tfds_atari_replay import frame_stack, transitions


def bad_datasets() -> list[tuple[Any, tf.data.Dataset, str]]:
    """Transforms, datasets that they refuse, and what the errors say."""
    episodes = as_dataset([make_steps(5)])
    stored = as_dataset([make_steps(5)], UNDECODED)
    steps = episodes.flat_map(lambda episode: episode["steps"])
    few = episodes.map(
        lambda episode: {"steps": episode["steps"].map(lambda s: {"action": s["action"]})}
    )
    few_stored = stored.map(lambda episode: {"steps": {"action": episode["steps"]["action"]}})
    odd = stored.map(
        lambda episode: {"steps": {**episode["steps"], "light": episode["steps"]["action"]}}
    )
    missing = r"Steps need the fields .*'observation'.* is missing"
    both = (frame_stack(), transitions())
    return [
        (both[1], tf.data.Dataset.range(3), "Expected a dataset of episodes"),
        (both[0], tf.data.Dataset.range(3), "Expected steps or episodes"),
        (both[1], steps, "These are steps; apply the transform to their episodes"),
        (both[0], steps.batch(2), r"Expected single steps.*\.unbatch\(\)"),
        *((one, few, missing) for one in both),
        *((one, few_stored, missing) for one in both),
        (both[0], steps.map(lambda s: {"observation": s["observation"]}), "Steps need the fields"),
        *((one, episodes.batch(2), "Expected a dataset of single episodes") for one in both),
        *((one, stored.ragged_batch(2), "Expected a dataset of single episodes") for one in both),
        *((one, stored.batch(1), "Expected a dataset of single episodes") for one in both),
        *((one, odd, r"unknown fields \['light'\]") for one in both),
        (
            both[1],
            episodes.apply(frame_stack()),
            r"'observation' of the shape \(height, width, 1\)",
        ),
    ]


@pytest.mark.parametrize(("transform", "dataset", "message"), bad_datasets())
def test_refuses_other_datasets(transform: Any, dataset: tf.data.Dataset, message: str) -> None:
    """The error says what was expected, and shows the element_spec."""
    with pytest.raises(ValueError, match=message) as error:
        dataset.apply(transform)
    assert f"Got {dataset.element_spec}" in str(error.value)


@pytest.mark.parametrize("transform", [frame_stack(), transitions()])
def test_refuses_what_is_no_dataset(transform: Any) -> None:
    with pytest.raises(TypeError, match=r"Expected a tf.data.Dataset, .* got list"):
        transform([make_steps(5)])


def test_decoded_steps_may_have_more_fields() -> None:
    """Even strings; the steps are not mistaken for undecoded ones."""
    episodes = make_all([(70, True, True), (3, False, False)])
    dataset = as_dataset(episodes).map(
        lambda episode: {
            "steps": episode["steps"].map(lambda step: {**step, "note": tf.constant("x")})
        }
    )
    got = unbatched(dataset.apply(transitions(batch_size=50)).as_numpy_iterator())
    assert_equal(got, [t for e in episodes for t in expected_transitions(e, 4, 1, 0.99)])
    (first, _) = dataset.apply(frame_stack())
    steps = list(first["steps"].as_numpy_iterator())
    assert {step["note"] for step in steps} == {b"x"}
    np.testing.assert_array_equal(steps[5]["observation"], stack_at(episodes[0], 5, 4))
