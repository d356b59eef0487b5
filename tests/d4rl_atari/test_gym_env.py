"""gym's environment is gymnasium's, with spaces of gym."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.datasets import DUMMY_DATA

from tfds_atari_replay.d4rl_atari import env
from tfds_atari_replay.logs import locating

gym: Any = pytest.importorskip("gym")

ARGUMENTS: Any = {"game": "Breakout", "split": "expert", "run": 1, "stack": True}


def make() -> Any:
    from tfds_atari_replay.d4rl_atari import gym_env

    return gym_env.OfflineAtariEnv(**ARGUMENTS, render_mode="rgb_array")


def test_plays_as_gymnasiums() -> None:
    theirs, ours = make(), env.OfflineAtariEnv(**ARGUMENTS, render_mode="rgb_array")
    assert isinstance(theirs, gym.Env)
    assert theirs.observation_space == gym.spaces.Box(0, 255, (4, 84, 84), np.uint8)
    assert theirs.action_space == gym.spaces.Discrete(4)
    got: Any = theirs.reset(seed=3)
    expected: Any = ours.reset(seed=3)
    for action in (1, 2, 3, 0, 1):
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1:] == expected[1:]
        got, expected = theirs.step(action), ours.step(action)
    np.testing.assert_array_equal(theirs.render(), ours.render())
    theirs.close()
    with pytest.raises(Exception, match="This environment was closed"):
        theirs.step(0)


def test_reads_what_gymnasiums_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(DUMMY_DATA))
    ours = env.OfflineAtariEnv(**ARGUMENTS)
    got, expected = (one.get_dataset(reward="unclipped") for one in (make(), ours))
    assert list(got) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(got[name][:], expected[name][:])
