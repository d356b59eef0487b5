"""Scores are those of the episodes that were played."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import Any

import numpy as np
import pytest
from helpers.cases import cases

from tfds_atari_replay import GAMES, Evaluation, evaluate, make_env


class CountingPolicy:
    """Acts on what it sees, so that the order of games does not matter; keeps what it sees."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, observations: Any) -> Any:
        self.seen.append(observations)
        # Never NOOP: without FIRE, the game waits for 27,000 steps.
        return 1 + observations[:, -1].astype(np.int64).sum((1, 2)) // 7 % 3


def emulator_seed(seed: int, episode: int) -> int:
    """Returns an episode's seed as `evaluate` documents it."""
    sequence = np.random.SeedSequence(seed).spawn(episode + 1)[episode].spawn(2)[0]
    return int(sequence.generate_state(1)[0]) % 2**31


def play_alone(seed: int, count: int, max_steps: int) -> list[tuple[float, int]]:
    """Plays episodes in one environment, the plainest way."""
    env, policy, results = make_env("breakout", stack=True), CountingPolicy(), []
    for episode in range(count):
        observation, _ = env.reset(seed=emulator_seed(seed, episode))
        score, steps, terminated = 0.0, 0, False
        while not terminated and steps < max_steps:
            observation, reward, terminated, _, _ = env.step(policy(observation[np.newaxis])[0])
            score, steps = score + reward, steps + 1
        results.append((score, steps))
    return results


@pytest.mark.parametrize("max_steps", cases(60, slow=[27_000]))
@pytest.mark.parametrize("num_envs", cases(2, slow=[1, 5]))
def test_scores_are_those_of_make_env(max_steps: int, num_envs: int) -> None:
    """Returns and lengths are make_env's, whatever else plays; also if episodes are cut."""
    result = evaluate(
        CountingPolicy(),
        "breakout",
        episodes=5,
        num_envs=num_envs,
        seed=5,
        epsilon=0,
        max_steps=max_steps,
    )
    expected = play_alone(5, 5, max_steps)
    assert list(zip(result.returns, result.lengths, strict=True)) == expected


@pytest.mark.slow
def test_seeds_are_independent() -> None:
    """Two seeds share no episode; the same seed plays the same episodes."""

    def play(seed: int, **arguments: Any) -> list[Any]:
        policy = CountingPolicy()
        result = evaluate(
            policy, "breakout", seed=seed, epsilon=0, max_steps=40, num_envs=6, **arguments
        )
        seen = np.stack(policy.seen, 1)[:, :, -1]  # (episode, step, 84, 84)
        return [
            (frames.tobytes(), *played)
            for frames, *played in zip(seen, result.returns, result.lengths, strict=True)
        ]

    first = play(0, episodes=6)
    assert len(set(first)) == 6
    assert not set(first) & set(play(1, episodes=6))
    assert first == play(0, episodes=6)


@pytest.mark.parametrize("emulator", ["ale_py", "atari_py"])
@pytest.mark.slow
def test_more_episodes_begin_with_the_same(emulator: str) -> None:
    """This holds with random actions too, and for any num_envs."""

    def play(episodes: int, num_envs: int) -> Evaluation:
        return evaluate(
            CountingPolicy(),
            "breakout",
            episodes=episodes,
            num_envs=num_envs,
            epsilon=0.3,
            seed=3,
            emulator=emulator,
        )

    few, many, others = play(3, 8), play(7, 2), play(7, 3)
    assert many == others
    assert many.returns[:3] == few.returns
    assert many.lengths[:3] == few.lengths


@pytest.mark.slow
def test_is_reproducible_and_unbiased() -> None:
    """Exactly the requested episodes count, in both emulators."""
    runs = [
        evaluate(CountingPolicy(), "breakout", episodes=7, num_envs=3, epsilon=0.3, emulator=name)
        for name in ("ale_py", "ale_py", "atari_py", "atari_py")
    ]
    assert runs[0] == runs[1]
    assert runs[2] == runs[3]
    for run in runs:
        assert len(run.returns) == len(run.lengths) == 7
        assert min(run.lengths) > 50
    other = evaluate(CountingPolicy(), "breakout", episodes=7, num_envs=3, epsilon=0.3, seed=9)
    assert other != runs[0]


def test_what_the_policy_sees() -> None:
    """It is called once per step with all games; stacks are oldest first and begin with zeros."""
    policy = CountingPolicy()
    result = evaluate(policy, "breakout", episodes=2, num_envs=2, max_steps=20)
    assert result.lengths == (20, 20)
    assert len(policy.seen) == 20
    assert {(seen.shape, seen.dtype.name) for seen in policy.seen} == {((2, 4, 84, 84), "uint8")}
    assert not policy.seen[0][:, :3].any()
    assert policy.seen[0][:, 3].any()
    np.testing.assert_array_equal(policy.seen[5][:, :3], policy.seen[4][:, 1:])
    shapes = []

    def last_axis(observations: Any) -> Any:
        shapes.append(observations.shape)
        return np.zeros(len(observations), np.int32)

    evaluate(last_axis, "breakout", episodes=3, num_envs=3, max_steps=5, axis=-1, stack_size=2)
    assert shapes == [(3, 84, 84, 2)] * 5


def test_epsilon_one_is_random_play() -> None:
    """With 1, the policy's actions do not matter; with 0, nothing else does."""
    stays, fires = ((lambda o, a=action: np.full(len(o), a)) for action in (0, 1))
    one, other = (
        evaluate(policy, "breakout", episodes=4, epsilon=1, max_steps=200)
        for policy in (stays, fires)
    )
    assert one == other
    # Without FIRE, the ball is never served.
    still = evaluate(stays, "breakout", episodes=2, epsilon=0, max_steps=100)
    assert still.returns == (0, 0)
    assert still.lengths == (100, 100)


def test_the_result_has_statistics() -> None:
    """It has mean, median and standard error, is written as JSON, and is frozen."""
    result = Evaluation("Breakout", (1.0, 2.0, 6.0), (10, 20, 30), 0.25, 0.5)
    assert result.mean == 3
    assert result.median == 2
    assert result.standard_error == pytest.approx(math.sqrt(7 / 3))
    assert json.loads(result.to_json()) == {
        "game": "Breakout",
        "returns": [1.0, 2.0, 6.0],
        "lengths": [10, 20, 30],
        "human_normalized": 0.25,
        "dqn_normalized": 0.5,
        "mean": 3.0,
        "median": 2.0,
        "standard_error": result.standard_error,
    }
    assert Evaluation("Pong", (1.0,), (5,), None).standard_error is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.game = "Pong"  # type: ignore[misc]


def test_the_progress_bar_is_drawn_only_when_episodes_end(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    monkeypatch.setenv("TQDM_DISABLE", "")  # as if there were a terminal
    evaluate(lambda stacks: [1] * len(stacks), "breakout", episodes=2, max_steps=50)
    counts = re.findall(r"Evaluating Breakout: .*?(\d)/2 ", capfd.readouterr().err)
    assert (counts.count("0"), counts[-1]) == (1, "2")


def test_scores_are_normalized() -> None:
    """0 is random play, 1 a human or DQN; games without published scores have None."""
    pong = evaluate(lambda o: np.zeros(len(o), int), "pong", episodes=1, max_steps=30)
    assert pong.human_normalized == pytest.approx((pong.mean + 20.7) / (14.6 + 20.7))
    assert pong.dqn_normalized == pytest.approx(
        (pong.mean + 20.7) / (GAMES["Pong"].dqn_score + 20.7)
    )
    pooyan = evaluate(lambda o: np.zeros(len(o), int), "pooyan", episodes=1, max_steps=30)
    assert pooyan.human_normalized is None
    assert pooyan.dqn_normalized is None
    assert sum(game.random_score is None for game in GAMES.values()) == 5


@pytest.mark.slow
@pytest.mark.exhaustive
def test_random_play_scores_what_was_published() -> None:
    """The mean is within a few standard errors, in games with few random events."""
    for name in ("Pong", "Freeway"):
        result = evaluate(
            lambda o: np.zeros(len(o), int), name, episodes=8, epsilon=1.0, max_steps=4000
        )
        error = result.standard_error
        assert error is not None
        assert abs(result.mean - (GAMES[name].random_score or 0)) < 4 * error + 0.5


def zeros(observations: Any) -> Any:
    return np.zeros(len(observations), int)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"game": "Breakot"}, "Did you mean 'Breakout'"),
        (
            {"policy": lambda o: np.zeros((len(o), 4))},
            r"for uint8 \(8, 4, 84, 84\) integers \(8,\), got float64 \(8, 4\)\. If it",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(**{"policy": zeros, "game": "breakout", "max_steps": 50, **arguments})


@pytest.mark.parametrize("emulator", ["ale_py", "atari_py"])
def test_policies_of_all_18_actions(emulator: str) -> None:
    """They score as much as the same policy in the game's own actions."""
    own = GAMES["Breakout"].full_actions

    def play(full_action_space: bool) -> Any:
        rng = np.random.default_rng(0)

        def policy(observations: Any) -> Any:
            actions = rng.integers(4, size=len(observations))
            return np.array(own)[actions] if full_action_space else actions

        arguments: Any = {"epsilon": 0, "max_steps": 300, "emulator": emulator}
        return evaluate(
            policy, "breakout", episodes=2, full_action_space=full_action_space, **arguments
        )

    assert play(True) == play(False)
    with pytest.raises(ValueError, match=r"Actions in Breakout are 0 to 3; the policy gave \[17\]"):
        evaluate(lambda observations: np.full(len(observations), 17), "breakout", episodes=1)
