"""Wrappers of Stable-Baselines3, and Minari's environments; `make test-torch` runs this."""

from __future__ import annotations

import itertools
import pathlib
from typing import Any

import numpy as np
import pytest

import tfds_atari_replay

gymnasium = pytest.importorskip("gymnasium")


def test_wrappers_of_stable_baselines() -> None:
    """Its no-op, fire and life wrappers work as in ale-py's own environment."""
    wrappers = pytest.importorskip("stable_baselines3.common.atari_wrappers")
    env = tfds_atari_replay.make_env("breakout", sticky_actions=False, roms="ale")
    wrapped = wrappers.FireResetEnv(wrappers.EpisodicLifeEnv(wrappers.NoopResetEnv(env, 7)))
    wrapped.reset(seed=3)
    lives = [env.ale.lives()]
    ends = 0
    while lives[-1]:
        # Without moving, the ball is lost soon after it was served.
        _, _, terminated, _, _ = wrapped.step(0)
        lives.append(env.ale.lives())
        if terminated:
            ends += 1
            if lives[-1]:
                wrapped.reset()  # goes on with the next life, and serves
    assert ends == 5
    assert [count for count, _ in itertools.groupby(lives)] == [5, 4, 3, 2, 1, 0]


def test_fire_reset_refuses_games_without_fire() -> None:
    wrappers = pytest.importorskip("stable_baselines3.common.atari_wrappers")
    with pytest.raises(AssertionError):
        wrappers.FireResetEnv(tfds_atari_replay.make_env("freeway", roms="ale"))  # has no FIRE


@pytest.mark.filterwarnings("ignore::UserWarning")  # Minari misses a link to the code, and more.
def test_minari_recovers_the_environment(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dataset that Minari collected makes the same environment again, bit for bit."""
    minari: Any = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    env = tfds_atari_replay.make_env("pong", stack=True, clip_rewards=True, roms="ale")
    collector = minari.DataCollector(env)
    collector.reset(seed=5)
    actions = np.random.default_rng(0).integers(6, size=60).tolist()
    for action in actions:
        collector.step(action)
    collector.create_dataset(dataset_id="atari/pong-v0")
    dataset = minari.load_dataset("atari/pong-v0")
    recovered = dataset.recover_environment()
    (episode,) = dataset.iterate_episodes()
    observations = [recovered.reset(seed=5)[0]]
    observations += [recovered.step(action)[0] for action in actions]
    np.testing.assert_array_equal(episode.observations, observations)
    assert isinstance(recovered.unwrapped, type(env))
    assert env.spec is not None
    assert recovered.spec.kwargs == env.spec.kwargs
    assert env.spec.kwargs["clip_rewards"]
