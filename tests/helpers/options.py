"""Options of tf.data that may reorder elements, and checks that steps keep their values."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from helpers.cases import cases


def options(**settings: Any) -> tf.data.Options:
    """Options with these settings and `deterministic` off; `group__name` sets a nested one."""
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


def in_tiers(quick: str | None, *slow: str) -> list[Any]:
    """Cases of the names of OPTIONS; those not given are exhaustive."""
    others = [name for name in OPTIONS if name not in (quick, *slow)]
    return cases(*filter(None, [quick]), slow=slow, exhaustive=others)


def number_of(frames: Any) -> Any:
    """Step numbers that frames of `make_steps` carry, from 1; 0 for a frame of zeros."""
    return np.ascontiguousarray(frames[..., 0, :4]).view("<u4")[..., 0].astype(np.int64)


def facts(numbers: Any) -> Any:
    """Actions and rewards that `make_steps` gives the steps of these numbers."""
    ids = numbers - 1
    return ids % 18 * (numbers > 0), (ids % 7 - 3) * (numbers > 0)


def assert_steps_in_order(steps: Any, length: int) -> None:
    """Checks that steps are in order, each with its own frame, action and reward."""
    columns = {name: np.array([step[name] for step in steps]) for name in steps[0]}
    numbers = number_of(columns["observation"][..., 0])
    assert len(numbers) == length
    np.testing.assert_array_equal(np.diff(numbers[:-1]), 1)
    assert numbers[-1] == 0
    action, reward = facts(numbers)
    np.testing.assert_array_equal(columns["action"], action)
    np.testing.assert_array_equal(columns["reward"], reward)
    np.testing.assert_array_equal(columns["is_last"], np.arange(length) == length - 1)
