"""d4rl-atari's ids are known to gymnasium and gym."""

from __future__ import annotations

import gymnasium
import pytest
from helpers.cases import cases
from helpers.processes import run_python

from tfds_atari_replay import GAMES
from tfds_atari_replay.d4rl_atari import registration


def test_every_id_is_registered() -> None:
    """There is one id for each of 60 games, 54 splits and 5 seeds, with the right arguments."""
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


def test_games_are_named_as_in_d4rl_atari() -> None:
    """Words are joined by hyphens."""
    names = {name.rsplit("-", 2)[0] for name, _ in registration.ids() if "mixed" in name}
    assert {"air-raid", "ms-pacman", "yars-revenge"} <= names
    assert len(names) == len(GAMES)


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
def test_the_order_of_imports_does_not_matter(make: str) -> None:
    """Gymnasium and gym each make an environment of their own kind."""
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
    """An id that begins with the module needs no import."""
    code = """
import gymnasium
env = gymnasium.make("tfds_atari_replay.d4rl_atari:breakout-mixed-v0", stack=True)
print(env.reset(seed=1)[0].shape, hasattr(env, "get_dataset"))
"""
    assert run_python(code).splitlines()[-1] == "(4, 84, 84) True"


def test_reading_registers_nothing() -> None:
    """Reading data imports no gymnasium and installs no import hook."""
    code = """
import sys
import tfds_atari_replay
print("gymnasium" in sys.modules, "gym" in sys.modules)
import gymnasium
print("breakout-mixed-v0" in gymnasium.registry)
print([h for h in sys.meta_path if type(h).__module__.startswith("tfds_atari_replay")])
"""
    assert run_python(code).splitlines() == ["False False", "False", "[]"]
