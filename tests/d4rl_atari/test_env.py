"""The environment takes d4rl-atari's keywords."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import tfds_atari_replay.d4rl_atari  # registers the ids

# gymnasium takes -v0 to -v4 for versions of one environment; here they are runs.
pytestmark = pytest.mark.filterwarnings("ignore:.*is out of date")


def test_plays_as_make_env_does() -> None:
    """Each keyword does what make_env's keyword of a similar name does."""
    theirs = gymnasium.make(
        "seaquest-medium-v3",
        stack=True,
        sticky_action=False,
        clip_reward=True,
        terminal_on_life_loss=True,
        render_mode="rgb_array",
    )
    ours = tfds_atari_replay.make_env(
        "seaquest",
        stack=True,
        sticky_actions=False,
        clip_rewards=True,
        terminal_on_life_loss=True,
        render_mode="rgb_array",
    )
    np.testing.assert_array_equal(theirs.reset(seed=0)[0], ours.reset(seed=0)[0])
    rewards = set()
    is_over = False
    for action in np.random.default_rng(1).integers(18, size=600).tolist():
        if is_over:
            break
        got, expected = theirs.step(action), ours.step(action)
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1:] == expected[1:]
        rewards.add((got[1], got[4]["unclipped_reward"]))
        is_over = got[2]
    assert is_over
    assert got[4]["lives"] > 0
    assert (1.0, 20.0) in rewards
    np.testing.assert_array_equal(theirs.render(), ours.render())


def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'stak'"):
        gymnasium.make("breakout-mixed-v0", stak=True)
