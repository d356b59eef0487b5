"""The rule for windows, as a table, in NumPy and in TensorFlow alike."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tfds_atari_replay.windows import rule
from tfds_atari_replay.windows.rule import Window

# Four steps, the last the terminal state; and a piece of three steps without an end.
WHOLE = {"reward": [1, 2, 4, 0], "is_terminal": [0, 0, 0, 1]}
PIECE = {"reward": [1, 2, 4], "is_terminal": [0, 0, 0]}

# Of each step: whether a transition starts there; reward and discount, if one does.
CASES: dict[str, Any] = {
    "whole episode, one step": (WHOLE, True, 1, [(1, 0.5), (2, 0.5), (4, 0), None]),
    "whole episode, two steps": (WHOLE, True, 2, [(2, 0.25), (4, 0), (4, 0), None]),
    "whole episode, more steps than it has": (WHOLE, True, 5, [(3, 0), (4, 0), (4, 0), None]),
    "cut history: the first stack is unknown": (WHOLE, False, 1, [None, (2, 0.5), (4, 0), None]),
    "cut end: the last step's future is unknown": (PIECE, True, 1, [(1, 0.5), (2, 0.5), None]),
    "cut end, two steps": (PIECE, True, 2, [(2, 0.25), None, None]),
    "cut at both ends": (PIECE, False, 1, [None, (2, 0.5), None]),
}


def starts(
    steps: Any, starts_at_reset: bool, n_step: int, to_array: Any = np.array, where: Any = np.where
) -> rule.Starts:
    """The rule with stacks of two frames and gamma 0.5, applied to all steps of an episode."""
    length = len(steps["reward"])

    def padded(values: Any, dtype: Any) -> Any:
        return to_array(np.pad(np.array(values, dtype), (1, n_step)))

    columns = rule.Columns(
        {"action": padded(range(length), np.int64), "reward": padded(steps["reward"], np.float32)},
        padded(steps["is_terminal"], np.bool_),
        padded([True] * length, np.bool_),
    )
    window = Window(stack_size=2, n_step=n_step, gamma=0.5)
    found = window.starts(columns, to_array(starts_at_reset), length, where)
    scalars = {name: np.asarray(column) for name, column in found.scalars.items()}
    return rule.Starts(scalars, np.asarray(found.discount), np.asarray(found.is_valid))


@pytest.mark.parametrize(
    "library", [(np.array, np.where), (tf.constant, tf.where)], ids=["NumPy", "TensorFlow"]
)
@pytest.mark.parametrize("case", CASES)
def test_the_rule(case: str, library: Any) -> None:
    """Rewards and discounts of the complete transitions, and no others, with either library."""
    steps, starts_at_reset, n_step, expected = CASES[case]
    found = starts(steps, starts_at_reset, n_step, *library)
    assert [found.scalars["reward"].dtype, found.discount.dtype] == [np.float32, np.float32]
    assert found.scalars["action"].tolist() == list(range(len(expected)))
    got = [
        (reward, discount) if is_valid else None
        for reward, discount, is_valid in zip(
            found.scalars["reward"].tolist(),
            found.discount.tolist(),
            found.is_valid.tolist(),
            strict=True,
        )
    ]
    assert got == expected


@pytest.mark.parametrize("n_step", [1, 2, 5, 9])
@pytest.mark.parametrize("starts_at_reset", [False, True])
@pytest.mark.parametrize("ends_in_terminal", [False, True])
def test_transitions_of_an_episode_are_a_stretch(
    n_step: int, starts_at_reset: bool, ends_in_terminal: bool
) -> None:
    """Applied to whole episodes, the rule says what it says of their steps."""
    window = Window(stack_size=2, n_step=n_step, gamma=0.5)
    lengths = np.arange(1, 12)
    for length, first, stop in zip(
        lengths.tolist(),
        *window.stretches(
            lengths,
            np.full(len(lengths), starts_at_reset),
            np.full(len(lengths), ends_in_terminal),
        ),
        strict=True,
    ):
        is_terminal = [0] * (length - 1) + [int(ends_in_terminal)]
        steps = {"reward": [1] * length, "is_terminal": is_terminal}
        is_valid = starts(steps, starts_at_reset, n_step).is_valid
        assert np.flatnonzero(is_valid).tolist() == list(range(first, stop))
