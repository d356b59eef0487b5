"""Policies: the random one, and the checks of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tfds_atari_replay import GAMES
from tfds_atari_replay.envs.policies import RandomPolicy, actions_of, check_policy

BREAKOUT = GAMES["Breakout"]
STACKS = np.zeros((3, 4, 84, 84), np.uint8)


def test_the_random_policy_takes_all_actions_equally_often() -> None:
    policy = RandomPolicy(BREAKOUT, seed=0)
    counts = np.bincount(policy(np.zeros((4000, 1), np.uint8)), minlength=4)
    assert counts.tolist() == pytest.approx([1000] * 4, rel=0.1)


def test_the_random_policy_plays_by_its_seed() -> None:
    def play(seed: int) -> list[int]:
        policy = RandomPolicy(BREAKOUT, seed)
        return [action for _ in range(10) for action in policy(STACKS).tolist()]

    assert play(1) == play(1) != play(2)


def test_actions_are_int64_and_in_order() -> None:
    for given in ([0, 3, 1], np.array([0, 3, 1], np.uint8)):
        actions = actions_of(lambda _, given=given: given, STACKS, BREAKOUT)  # type: ignore[misc]
        assert actions.tolist() == [0, 3, 1]
        assert actions.dtype == np.int64


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            np.zeros((3, 4)),
            r"for uint8 \(3, 4, 84, 84\) integers \(3,\), got float64 \(3, 4\)\. If it",
        ),
        (np.zeros(3), r"integers \(3,\), got float64 \(3,\)"),
        (1, r"integers \(3,\), got int64 \(\)"),
        ([0, 4, 17], r"Breakout are 0 to 3; the policy gave \[4, 17\]"),
        ([0, -1, 3], r"Breakout are 0 to 3; the policy gave \[-1\]"),
    ],
)
def test_other_actions_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        actions_of(lambda _: given, STACKS, BREAKOUT)


def test_what_cannot_be_called_is_refused() -> None:
    check_policy(RandomPolicy(BREAKOUT, 0))
    with pytest.raises(TypeError, match=r"policy must be a callable .* \(got \[1\]\)"):
        check_policy([1])  # type: ignore[arg-type]
