"""Environments play what Dopamine's agents saw."""

from __future__ import annotations

import hashlib
import json
import pathlib
import subprocess
import sys
import types
import warnings
from typing import Any

import ale_py
import ale_py.roms
import gymnasium
import numpy as np
import pytest
from gymnasium.utils import env_checker
from helpers.cases import cases

from tfds_atari_replay import find_game, make_env
from tfds_atari_replay.games import ALL_ACTIONS

# Observations, rewards and ends that dopamine-rl 4.1.2's AtariPreprocessing gives over ale-py; the
# file's header says how it was made. Traces A are of ale-py's ROMs, B of atari-py's.
GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden_traces.json").read_text())
SEED = GOLDEN["header"]["ale_random_seed"]

gymnasium.register_envs(ale_py)


def md5(observation: Any) -> str:
    return hashlib.md5(observation.tobytes()).hexdigest()


@pytest.mark.parametrize("stack", [False, True])
@pytest.mark.parametrize("name", GOLDEN["traces"])
def test_plays_the_golden_traces(name: str, stack: bool) -> None:
    """All observations before a terminal, rewards, terminals and lives are equal."""
    trace = GOLDEN["traces"][name]
    game, roms = name.split("/")
    env = make_env(game, stack=stack, roms={"A": "ale", "B": "legacy"}[roms])
    observation, _ = env.reset(seed=SEED)

    def newest(observation: Any) -> Any:
        return observation[-1] if stack else observation

    assert md5(newest(observation)) == trace["reset_obs_md5"]
    compared = 0
    for step, action in enumerate(trace["action"]):
        observation, reward, terminated, truncated, info = env.step(action)
        assert reward == info["unclipped_reward"] == trace["reward"][step]
        assert terminated == trace["terminal"][step]
        assert not truncated
        assert info["lives"] == trace["lives"][step]
        if terminated:
            observation, _ = env.reset()
            expected = trace["after_terminal"][str(step)]["next_reset_obs_md5"]
            assert md5(newest(observation)) == expected
        else:
            assert md5(newest(observation)) == trace["obs_md5"][step]
            compared += 1
    assert compared > 250


def dopamine_env(monkeypatch: pytest.MonkeyPatch, game: str, seed: int) -> tuple[Any, int]:
    """Returns Dopamine's preprocessing over gymnasium's game, and the seed of its emulator."""
    for name in ("baselines", "baselines.common", "baselines.common.atari_wrappers"):
        # It asks for this package at its import, and needs it for other things only.
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["baselines.common"].atari_wrappers = None  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dopamine.discrete_domains import atari_lib
    game_env: Any = gymnasium.make(f"ALE/{game}-v5", frameskip=1).unwrapped
    game_env.env = game_env
    _, info = game_env.reset(seed=seed)
    return atari_lib.AtariPreprocessing(game_env), int(np.int32(info["seeds"][1]))


@pytest.mark.parametrize("game", cases("Seaquest", slow=["Breakout", "Freeway"]))
def test_plays_as_dopamines_own_class(monkeypatch: pytest.MonkeyPatch, game: str) -> None:
    """Both have sticky actions and the same emulator seed."""
    theirs, seed = dopamine_env(monkeypatch, game, seed=4)
    assert seed >= 0
    ours = make_env(game, roms="ale")
    ours.reset(seed=seed)
    np.testing.assert_array_equal(ours.reset()[0], theirs.reset()[..., 0])
    rng = np.random.default_rng(0)
    for _ in range(500):
        action = int(rng.integers(len(ours.game.actions)))
        observation, reward, is_terminal, _ = theirs.step(action)
        got = ours.step(action)
        assert (got[1], got[2]) == (reward, is_terminal)
        if is_terminal:
            np.testing.assert_array_equal(ours.reset()[0], theirs.reset()[..., 0])
        else:
            np.testing.assert_array_equal(got[0], observation[..., 0])


def test_plays_as_gymnasiums_wrapper() -> None:
    """The wrapper's no-ops are off, and so are sticky actions."""
    game_env = gymnasium.make("ALE/Pong-v5", frameskip=1, repeat_action_probability=0.0)
    theirs = gymnasium.wrappers.AtariPreprocessing(game_env, noop_max=0)
    ours = make_env("pong", sticky_actions=False)
    np.testing.assert_array_equal(ours.reset(seed=1)[0], theirs.reset(seed=1)[0])
    rng = np.random.default_rng(0)
    for _ in range(500):
        action = int(rng.integers(6))
        expected = theirs.step(action)
        got = ours.step(action)
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1:3] == expected[1:3]


@pytest.mark.parametrize("emulator", ["ale_py", "atari_py"])
def test_the_seed_determines_play(emulator: str) -> None:
    """The same seed plays the same game, 0 too; seeds are taken modulo 2**31."""

    def play(seed: int) -> str:
        env = make_env("breakout", emulator=emulator)
        frames = [env.reset(seed=seed)[0], *(env.step(step % 4)[0] for step in range(100))]
        return md5(np.stack(frames))

    assert play(0) == play(0) != play(1) == play(1)
    assert play(2**31 + 5) == play(5)


def test_sticky_actions_stick() -> None:
    """The seed changes nothing when they are off, and play differs when they are on."""
    steps = {}
    for sticky in (True, False):
        env = make_env("breakout", sticky_actions=sticky)
        env.reset(seed=0)
        steps[sticky] = [md5(env.step([1, 2, 3, 0][step % 4])[0]) for step in range(100)]
    again = make_env("breakout", sticky_actions=False)
    again.reset(seed=7)
    assert steps[False] == [md5(again.step([1, 2, 3, 0][step % 4])[0]) for step in range(100)]
    assert steps[True] != steps[False]


@pytest.mark.parametrize("arguments", cases({"emulator": "atari_py"}, slow=[{}, {"stack": True}]))
@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render modes")
def test_gymnasiums_checker_passes(arguments: Any) -> None:
    """Its checker passes, and so does rendering."""
    env_checker.check_env(make_env("breakout", render_mode="rgb_array", **arguments))


def test_works_in_vector_environments() -> None:
    """Each copy has its own seed."""
    envs = gymnasium.vector.SyncVectorEnv([lambda: make_env("pong", stack=True)] * 2)
    observations, _ = envs.reset(seed=3)
    assert observations.shape == (2, 4, 84, 84)
    first = make_env("pong", stack=True)
    first.reset(seed=3)
    for _ in range(20):
        observations, _, _, _, info = envs.step(np.array([2, 3]))
        np.testing.assert_array_equal(observations[0], first.step(2)[0])
    assert info["lives"].shape == (2,)
    envs.close()


def test_stacks_begin_with_zeros() -> None:
    """Frames are oldest first, a reset empties the stack, returned stacks do not change."""
    stacked, single = make_env("breakout", stack=True), make_env("breakout")
    for seed in (1, 2):
        first, frame = stacked.reset(seed=seed)[0], single.reset(seed=seed)[0]
        assert not first[:3].any()
        np.testing.assert_array_equal(first[3], frame)
        second, next_frame = stacked.step(1)[0], single.step(1)[0]
        assert not second[:2].any()
        np.testing.assert_array_equal(second[2:], [frame, next_frame])
        np.testing.assert_array_equal(first[3], frame)


def test_rewards_are_clipped_on_demand() -> None:
    rng = np.random.default_rng(0)
    env = make_env("seaquest", clip_rewards=True)
    env.reset(seed=0)
    rewards = []
    for _ in range(600):
        _, reward, terminated, _, info = env.step(int(rng.integers(18)))
        rewards.append((reward, info["unclipped_reward"]))
        if terminated:
            env.reset()
    assert (1.0, 20.0) in rewards
    assert all(one == min(max(other, -1.0), 1.0) for one, other in rewards)
    assert info["frame_number"] >= info["episode_frame_number"] > 0


def test_a_lost_life_ends_the_episode_on_demand() -> None:
    env = make_env("breakout", terminal_on_life_loss=True)
    _, info = env.reset(seed=0)
    assert info["lives"] == 5
    terminated = False
    while not terminated:
        _, _, terminated, truncated, info = env.step(1)
        assert not truncated
    assert info["lives"] == 4
    with pytest.raises(gymnasium.error.ResetNeeded, match=r"Call reset\(\) first"):
        env.step(1)
    assert env.reset()[1]["lives"] == 5


def test_episodes_are_truncated_after_27000_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfds_atari_replay.envs.env.MAX_STEPS", 5)
    env = make_env("pong")
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(5)]
    assert ends == [(False, False)] * 4 + [(False, True)]


def test_renders_in_colour() -> None:
    """'rgb_array' gives the whole screen; 'human' draws in a window."""
    env = make_env("amidar", render_mode="rgb_array", roms="legacy")
    env.reset(seed=0)
    for _ in range(50):
        env.step(0)
    screen = env.render()
    assert screen is not None
    assert screen.shape == (250, 160, 3)
    assert screen.std(axis=2).max() > 0
    code = (
        "import tfds_atari_replay; env = tfds_atari_replay.make_env('pong', render_mode='human');"
        "env.reset(seed=0); print(env.step(0)[1], env.render())"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == "0.0 None\n"


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"game": "Breakot"}, ValueError, "Did you mean 'Breakout'"),
        (
            {"render_mode": "human", "emulator": "atari_py"},
            ValueError,
            "render_mode must be None or 'rgb_array'",
        ),
        ({"stak": True}, TypeError, "unexpected keyword argument 'stak'"),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        make_env(**{"game": "breakout", **arguments})


def test_invalid_calls_are_refused() -> None:
    """Bad actions, rendering without a mode, and use before reset or after close are errors."""
    env = make_env("pong")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    for action in (6, -1, 1.0, "FIRE", None):
        with pytest.raises(gymnasium.error.InvalidAction, match="an integer, 0 to 5"):
            env.step(action)  # type: ignore[arg-type]
    env.step(np.int64(5))
    with pytest.raises(gymnasium.error.Error, match="render_mode='rgb_array'"):
        env.render()
    env.close()
    for call in (env.reset, lambda: env.step(0), env.render):
        with pytest.raises(gymnasium.error.ClosedEnvironmentError, match="closed"):
            call()


def test_any_spelling_of_the_game() -> None:
    assert make_env("space-invaders").game is find_game("SpaceInvaders")


@pytest.mark.parametrize("emulator", ["ale_py", "atari_py"])
def test_all_18_actions(emulator: str) -> None:
    """The game's own actions do the same under their indices in ALE's order."""
    game = find_game("breakout")
    own = make_env("breakout", emulator=emulator)
    every = make_env("breakout", emulator=emulator, full_action_space=True)
    assert own.get_action_meanings() == ["NOOP", "FIRE", "RIGHT", "LEFT"]
    assert every.get_action_meanings() == list(ALL_ACTIONS)
    assert isinstance(every.action_space, gymnasium.spaces.Discrete)
    assert every.action_space.n == 18
    np.testing.assert_array_equal(own.reset(seed=SEED)[0], every.reset(seed=SEED)[0])
    for action in np.random.default_rng(0).integers(4, size=300).tolist():
        ours, theirs = own.step(action), every.step(game.full_actions[action])
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert ours[1:] == theirs[1:]
        if ours[2]:
            own.reset()
            every.reset()
    every.reset()
    every.step(17)
    with pytest.raises(gymnasium.error.InvalidAction, match="0 to 17"):
        every.step(18)


def test_all_18_actions_are_named_as_gymnasium_names_them() -> None:
    env: Any = gymnasium.make("ALE/Breakout-v5", full_action_space=True)
    ours = make_env("breakout", full_action_space=True)
    assert ours.get_action_meanings() == env.unwrapped.get_action_meanings()


def test_has_what_wrappers_expect() -> None:
    env = make_env("breakout", terminal_on_life_loss=True)
    with pytest.raises(gymnasium.error.ResetNeeded, match="not loaded yet"):
        env.ale.lives()
    env.reset(seed=0)
    assert env.ale.lives() == 5
    assert env.spec is not None
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again, type(env))
    np.testing.assert_array_equal(again.reset(seed=7)[0], env.reset(seed=7)[0])
    assert again.spec is not None
    assert again.spec.kwargs == env.spec.kwargs
    assert again.spec.kwargs["terminal_on_life_loss"]
