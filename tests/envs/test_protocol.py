"""The logs' protocol is that of Machado et al. (2018), which ale-py has as its defaults."""

from __future__ import annotations

import ale_py
import gymnasium

from tfds_atari_replay.envs import protocol


def test_the_numbers_are_ale_pys() -> None:
    gymnasium.register_envs(ale_py)
    defaults = gymnasium.spec("ALE/Breakout-v5").kwargs
    assert defaults["frameskip"] == protocol.FRAMES_PER_STEP
    assert defaults["repeat_action_probability"] == protocol.STICKY_PROBABILITY
    frames = defaults["max_num_frames_per_episode"]
    assert frames == protocol.MAX_STEPS * protocol.FRAMES_PER_STEP
