"""atari-py, which recorded the logs, plays as ale-py does, several games in threads."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from helpers.cases import cases

from tfds_atari_replay import GAMES, make_env
from tfds_atari_replay.envs import roms
from tfds_atari_replay.envs.emulators import find_emulator


@pytest.mark.parametrize("game", cases("Amidar", slow=["Breakout", "SpaceInvaders"]))
def test_atari_py_plays_the_same(game: str) -> None:
    """The emulator that recorded the logs, on the ROM they were recorded on."""
    envs = [
        make_env(game, roms="legacy", sticky_actions=False, emulator=emulator)
        for emulator in ("ale_py", "atari_py")
    ]
    start, other_start = (env.reset(seed=1)[0] for env in envs)
    np.testing.assert_array_equal(start, other_start)
    rng = np.random.default_rng(0)
    for _ in range(400):
        action = int(rng.integers(len(envs[0].game.actions)))
        one, other = (env.step(action) for env in envs)
        assert one[1:3] == other[1:3]
        if one[2]:
            np.testing.assert_array_equal(envs[0].reset()[0], envs[1].reset()[0])
        else:
            np.testing.assert_array_equal(one[0], other[0])


def test_games_in_threads_play_as_each_alone() -> None:
    """A reset of some leaves the others alone, and gives each the seed of its own."""
    game = GAMES["Breakout"]
    arguments: Any = {"rom": roms.find_rom(game), "sticky_probability": 0.25}
    emulator = find_emulator("atari_py")
    together = emulator.play_several(game, 3, **arguments)
    alone = {index: emulator(game, seed=20 + index, **arguments) for index in range(3)}
    frames = together.reset(np.arange(3), 20 + np.arange(3))
    np.testing.assert_array_equal(frames, [alone[index].reset() for index in range(3)])
    rng = np.random.default_rng(0)
    for step in range(60):
        if step == 30:
            alone |= {index: emulator(game, seed=40 + index, **arguments) for index in (2, 0)}
            frames = together.reset(np.array([2, 0]), np.array([42, 40]))
            np.testing.assert_array_equal(frames, [alone[2].reset(), alone[0].reset()])
        actions = rng.integers(4, size=3)
        got = together.step(actions)
        expected = [alone[index].step(int(actions[index])) for index in range(3)]
        for column, values in zip(got, zip(*expected, strict=True), strict=True):
            np.testing.assert_array_equal(column, values)


@pytest.mark.parametrize(("seed", "setting"), [(0, 2**31 - 1), (1, 1), (2**31 - 1, 2**31 - 1)])
def test_seed_0_is_not_the_time_of_day(seed: int, setting: int) -> None:
    """atari_py takes the time for 0; other seeds stay as they are."""
    game = GAMES["Breakout"]
    emulator = find_emulator("atari_py")(game, seed=seed, rom=roms.find_rom(game))
    assert emulator.ale.getInt(b"random_seed") == setting


def test_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "atari_py", None)
    where = r"docs/environments\.md, 'ROMs',"
    with pytest.raises(ImportError, match=rf"pip install atari-py==0\.2\.5.*{where}"):
        make_env("pong", emulator="atari_py")
