"""Code written for d4rl-atari runs, and gets the same arrays."""

from __future__ import annotations

import pathlib
from typing import Any

import gymnasium
import numpy as np
import pytest
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, build, rows
from helpers.logs import make_episodes, read_gz, write_log
from helpers.processes import PEAK_MEMORY, run_python

from tfds_atari_replay import GAMES
from tfds_atari_replay.configs import find_config
from tfds_atari_replay.d4rl_atari import registration
from tfds_atari_replay.d4rl_atari.stacked_frames import StackedFrames
from tfds_atari_replay.logs import locating

# gymnasium takes -v0 to -v4 for versions of one environment; here they are runs.
pytestmark = pytest.mark.filterwarnings("ignore:.*is out of date")


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Where the environments find logs."""
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(DUMMY_DATA))
    return DUMMY_DATA


def slow_stacks(frames: Any, terminals: Any) -> list[Any]:
    """Row by row, as d4rl-atari documents it: four frames, zeros before an episode."""
    stacks, known = [], 1
    for row in range(len(frames)):
        zeros = np.zeros((max(4 - known, 0), 84, 84), np.uint8)
        stacks.append(np.concatenate([zeros, frames[row - min(known, 4) + 1 : row + 1]]))
        known = 1 if terminals[row] else known + 1
    return stacks


@pytest.mark.parametrize(
    ("env_id", "number", "run"),
    [("breakout-mixed-v0", 1, 1), ("breakout-epoch-0-v0", 0, 1), ("breakout-expert-v4", 49, 5)],
)
def test_get_dataset_gives_the_files_rows(
    logs: pathlib.Path, env_id: str, number: int, run: int
) -> None:
    """Row for row in the file's order, zero rows and garbage included; stacks as there."""
    env: Any = gymnasium.make(env_id)
    dataset = env.get_dataset()
    folder = logs / "Breakout" / str(run) / "replay_logs"
    columns = {
        name: read_gz(folder / f"$store$_{name}_ckpt.{number}.gz")
        for name in ("observation", "action", "reward", "terminal")
    }
    assert list(dataset) == ["observations", "actions", "rewards", "terminals"]
    np.testing.assert_array_equal(dataset["observations"], columns["observation"][:, np.newaxis])
    for name in ("action", "reward", "terminal"):
        np.testing.assert_array_equal(dataset[f"{name}s"], columns[name])
        assert dataset[f"{name}s"].dtype == columns[name].dtype
    stacked = gymnasium.make(env_id, stack=True).get_dataset()  # type: ignore[attr-defined]
    expected = slow_stacks(columns["observation"], columns["terminal"])
    assert len(stacked["observations"]) == len(expected)
    for one, other in zip(stacked["observations"], expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "env_id", ["breakout-mixed-v0", "breakout-epoch-0-v0", "breakout-expert-v0"]
)
def test_get_dataset_gives_true_rewards(
    logs: pathlib.Path, env_id: str, tmp_path: pathlib.Path
) -> None:
    """In their rows, whichever way the ring lies: in time order they are the dataset's."""
    env: Any = gymnasium.make(env_id)
    clipped, unclipped = (env.get_dataset(reward=kind) for kind in ("clipped", "unclipped"))
    for name in ("observations", "actions", "terminals"):
        np.testing.assert_array_equal(clipped[name], unclipped[name])
    builder = build(env_id.replace("-", "_"), logs, tmp_path)
    steps = [step for episode in rows(builder) for step in episode["steps"]]
    expected = [step["unclipped_reward"] for step in steps if step["reward"] != 0]
    config = find_config(env_id.replace("-", "_"))
    assert config is not None
    found = locating.locate(config, manual_dir=logs)
    (checkpoint,) = (one.files.open() for one in found)
    got = checkpoint.in_time_order(unclipped["rewards"])
    np.testing.assert_array_equal(got[got != 0], expected)
    assert np.isfinite(expected).any()
    with pytest.raises(ValueError, match="reward must be 'clipped' or 'unclipped'"):
        env.get_dataset(reward="true")


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 30])
def test_stacked_frames_are_a_sequence(length: int) -> None:
    """Integers, slices, index arrays and masks, from the end too; errors as lists have them."""
    rng: Any = np.random.default_rng(length)
    frames = rng.integers(1, 256, (length, 84, 84), np.uint8)
    terminals = (rng.random(length) < 0.3).astype(np.uint8)
    stacks, expected = StackedFrames(frames, terminals), slow_stacks(frames, terminals)
    assert len(stacks) == length
    np.testing.assert_array_equal(np.stack(list(stacks)), expected)
    np.testing.assert_array_equal(stacks[-1], expected[-1])
    for part in (slice(None), slice(1, 3), slice(None, None, -2), slice(-2, None)):
        assert isinstance(stacks[part], list)
        assert len(stacks[part]) == len(expected[part])
        for one, other in zip(stacks[part], expected[part], strict=True):
            np.testing.assert_array_equal(one, other)
    index = rng.integers(-length, length, 50)
    np.testing.assert_array_equal(stacks[index], np.stack(expected)[index])
    mask = rng.random(length) < 0.5
    np.testing.assert_array_equal(stacks[mask], np.stack(expected)[mask])
    assert stacks[np.array([], np.int64)].shape == (0, 4, 84, 84)
    for bad in (length, -length - 1, np.array([length])):
        with pytest.raises(IndexError, match="out of range"):
            stacks[bad]
    with pytest.raises(
        IndexError, match=r"must be integers \(k,\) or booleans, got float64 \(1,\)"
    ):
        stacks[np.array([0.0])]
    with pytest.raises(IndexError, match=rf"a mask must have shape \({length},\), got \(99,\)"):
        stacks[np.zeros(99, np.bool_)]


def test_stacks_share_the_frames_memory() -> None:
    """A stack with no zeros in it is a view."""
    frames = np.ones((10, 84, 84), np.uint8)
    stacks = StackedFrames(frames, np.zeros(10, np.uint8))
    assert np.shares_memory(stacks[5], frames)
    assert not np.shares_memory(stacks[2], frames)


def test_plays_too() -> None:
    """The keywords of d4rl-atari; the machine is that of the logs."""
    env = gymnasium.make(
        "seaquest-medium-v3", stack=True, clip_reward=True, render_mode="rgb_array"
    )
    observation, _ = env.reset(seed=0)
    assert observation.shape == (4, 84, 84)
    assert env.action_space.n == 18  # type: ignore[attr-defined]
    env.step(0)
    assert env.render() is not None
    plain = gymnasium.make("breakout-epoch-7-v1", sticky_action=False, terminal_on_life_loss=True)
    assert plain.reset(seed=0)[0].shape == (84, 84)
    with pytest.raises(TypeError, match="unexpected keyword argument 'stak'"):
        gymnasium.make("breakout-mixed-v0", stak=True)


def test_every_id_is_registered() -> None:
    """60 games, 54 splits, 5 seeds, each with its own game, run and checkpoints."""
    found = dict(registration.ids())
    assert len(found) == 60 * 54 * 5
    assert set(found) <= set(gymnasium.registry)
    assert found["space-invaders-expert-v4"] == {
        "game": "SpaceInvaders",
        "split": "expert",
        "run": 5,
    }
    assert found["up-n-down-epoch-50-v0"] == {"game": "UpNDown", "split": "epoch_50", "run": 1}
    with pytest.raises(gymnasium.error.NameNotFound, match="Did you mean: `breakout-mixed`"):
        gymnasium.make("breakout-mixd-v0")


@pytest.mark.parametrize(
    "make",
    cases(
        "import tfds_atari_replay.d4rl_atari, gymnasium",
        "import importlib.util; importlib.util.find_spec('gymnasium')\n"
        "import tfds_atari_replay.d4rl_atari, gymnasium",
        slow=[
            "import gymnasium, tfds_atari_replay.d4rl_atari",
            "import gym as gymnasium, tfds_atari_replay.d4rl_atari",
            "import tfds_atari_replay.d4rl_atari, gym as gymnasium",
        ],
    ),
)
def test_ids_in_whatever_order_the_imports_come(make: str) -> None:
    """In gymnasium and gym, each with an environment of its own kind."""
    code = f"""
{make}
env = gymnasium.make("breakout-mixed-v0", stack=True)
observation, info = env.reset(seed=1)
print(isinstance(env, gymnasium.Env), isinstance(env.action_space, gymnasium.Space))
for _ in range(30):
    step = env.step(env.action_space.sample())
print(step[0].shape, len(step), hasattr(env, "get_dataset"))
"""
    assert run_python(code).splitlines()[-2:] == ["True True", "(4, 84, 84) 5 True"]


def test_make_imports_by_itself() -> None:
    """With the module before the id, no line comes before it."""
    code = """
import gymnasium
env = gymnasium.make("tfds_atari_replay.d4rl_atari:breakout-mixed-v0", stack=True)
print(env.reset(seed=1)[0].shape, hasattr(env, "get_dataset"))
"""
    assert run_python(code).splitlines()[-1] == "(4, 84, 84) True"


def test_reading_registers_nothing() -> None:
    """Whoever reads pays neither for gymnasium nor for an import hook."""
    code = """
import sys
import tfds_atari_replay
print("gymnasium" in sys.modules, "gym" in sys.modules)
import gymnasium
print("breakout-mixed-v0" in gymnasium.registry)
print([h for h in sys.meta_path if type(h).__module__.startswith("tfds_atari_replay")])
"""
    assert run_python(code).splitlines() == ["False False", "False", "[]"]


def test_without_logs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The builder's message: what was looked for, where, and what to do."""
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(tmp_path))
    env: Any = gymnasium.make("pong-expert-v0")
    with pytest.raises(FileNotFoundError, match=r"No replay logs of Pong run 1, "):
        env.get_dataset()


@pytest.mark.slow
def test_memory_is_that_of_the_frames(tmp_path: pathlib.Path) -> None:
    """No second copy of the frames, stacked or not."""
    write_log(tmp_path / "Breakout" / "1" / "replay_logs", 20_000, make_episodes([9000, 12_000]))
    code = f"""
{PEAK_MEMORY}
import os
os.environ["{locating.SOURCE_VARIABLE}"] = {str(tmp_path)!r}
from tfds_atari_replay import GAMES
from tfds_atari_replay.configs import SPLITS, Config
from tfds_atari_replay.d4rl_atari.dataset import read_dataset
before = peak_memory()
dataset = read_dataset(Config(GAMES["Breakout"], SPLITS["epoch_0"], 1), stack=True)
print(peak_memory() - before)
"""
    assert float(run_python(code)) < 1.3 * 20_000 * 84 * 84


def test_the_games_ids_are_those_of_d4rl_atari() -> None:
    """Hyphens between words."""
    names = {name.rsplit("-", 2)[0] for name, _ in registration.ids() if "mixed" in name}
    assert {"air-raid", "ms-pacman", "yars-revenge"} <= names
    assert len(names) == len(GAMES)
