"""Checks of datasets that transforms are applied to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfds_atari_replay import schema
from tfds_atari_replay._extras import tensorflow as tf

STEP_FIELDS = schema.features()["steps"].feature
"""The fields of a step, by name."""


def element_spec(dataset: Any) -> Any:
    """Returns the element_spec of a dataset.

    Raises:
      TypeError: `dataset` is not a tf.data.Dataset.
    """
    if not isinstance(dataset, tf.data.Dataset):
        raise TypeError(
            f"Expected a tf.data.Dataset, as tfds.load returns it, got {type(dataset).__name__}."
        )
    return dataset.element_spec


def has_episodes(spec: Any) -> bool:
    """Whether a dataset's elements are episodes: dicts with steps."""
    return isinstance(spec, Mapping) and "steps" in spec


def check_episodes(spec: Any, needed: tuple[str, ...]) -> bool:
    """Checks that a dataset holds single episodes.

    Args:
      spec: the dataset's element_spec.
      needed: fields that steps must have.

    Returns:
      True if steps are as stored, False if they are decoded.

    Raises:
      ValueError: the dataset holds something else.
    """
    if not has_episodes(spec):
        hint = ""
        if isinstance(spec, Mapping) and "observation" in spec:
            hint = " These are steps; apply the transform to their episodes."
        raise ValueError(
            "Expected a dataset of episodes, as tfds.load gives them: a dict with 'steps'."
            f"{hint}\nGot {spec}"
        )
    steps = spec["steps"]
    is_stored = not isinstance(steps, tf.data.DatasetSpec)
    if is_stored:
        is_single = _are_stored_steps(steps, needed, spec)
    else:
        is_single = steps.is_compatible_with(tf.data.DatasetSpec(steps.element_spec))
        if is_single:
            check_steps(steps.element_spec, needed, spec)
    if not is_single:
        raise ValueError(
            "Expected a dataset of single episodes: 'steps' a nested dataset, or what "
            "tfds.decode.SkipDecoding() gives. If these are batches of episodes, apply the "
            f"transform before .batch().\nGot {spec}"
        )
    return is_stored


def check_steps(steps: Any, needed: tuple[str, ...], spec: Any) -> None:
    """Checks that elements are single steps.

    Args:
      steps: the element_spec of steps.
      needed: fields that they must have.
      spec: the element_spec of the whole dataset, for the message.

    Raises:
      ValueError: fields are missing or have other shapes.
    """
    _check_fields(steps, needed, spec)
    for name in needed:
        field, shape = steps[name], (None, None, 1) if name == "observation" else ()
        if not isinstance(field, tf.TensorSpec) or not field.shape.is_compatible_with(shape):
            raise ValueError(
                f"Expected single steps, {name!r} of the shape "
                f"{'(height, width, 1)' if shape else '()'}; apply .unbatch() to batches of steps "
                f"first.\nGot {spec}"
            )


def _are_stored_steps(steps: Any, needed: tuple[str, ...], spec: Any) -> bool:
    """Whether these are the stored steps of one episode."""
    _check_fields(steps, needed, spec)
    unknown = sorted(set(steps) - set(STEP_FIELDS))
    if unknown:
        raise ValueError(f"Undecoded steps have unknown fields {unknown}.\nGot {spec}")
    return all(
        isinstance(steps[name], tf.TensorSpec)
        and steps[name].dtype == tf.string
        and steps[name].shape.rank == bool(STEP_FIELDS[name].shape)
        for name in needed
    )


def _check_fields(steps: Any, needed: tuple[str, ...], spec: Any) -> None:
    if not isinstance(steps, Mapping):
        raise ValueError(f"Expected steps or episodes, as dicts.\nGot {spec}")
    missing = sorted(set(needed) - set(steps))
    if missing:
        why = "Did PartialDecoding leave them out?"
        if "unclipped_reward" in missing:
            why += (
                " Or is the dataset of version 1.0.0, which has no true scores? Then prepare it "
                "again: tfds build NAME --imports=tfds_atari_replay --manual_dir=LOGS."
            )
        raise ValueError(
            f"Steps need the fields {sorted(needed)}; {missing} is missing. {why}\nGot {spec}"
        )
