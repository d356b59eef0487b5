"""The emulator against recorded play of Dopamine's own preprocessing."""

import hashlib
import json
import pathlib
from typing import Any

import pytest

from tfds_atari_replay import find_game
from tfds_atari_replay.envs import emulator as emulator_lib

# Observations, rewards and ends that dopamine-rl 4.1.2's AtariPreprocessing gives over ale-py; the
# file's header says how it was made. Traces B need the ROMs of atari-py.
_GOLDEN = json.loads((pathlib.Path(__file__).parent / "golden_traces.json").read_text())
_TRACES = {name: trace for name, trace in _GOLDEN["traces"].items() if name.endswith("/A")}


def _md5(observation: Any) -> str:
    return hashlib.md5(observation.tobytes()).hexdigest()


@pytest.mark.parametrize("name", _TRACES)
def test_plays_as_dopamine_saw_it(name: str) -> None:
    """Every observation before a terminal, every reward, terminal and life is equal."""
    trace = _TRACES[name]
    emulator = emulator_lib.Emulator(
        find_game(name.split("/")[0]), seed=_GOLDEN["header"]["ale_random_seed"]
    )
    assert _md5(emulator.reset()) == trace["reset_obs_md5"]
    for step, action in enumerate(trace["action"]):
        observation, reward, game_over = emulator.step(action)
        assert reward == trace["reward"][step]
        assert game_over == trace["terminal"][step]
        assert emulator.lives == trace["lives"][step]
        assert _md5(observation) == trace["obs_md5"][step]
        if game_over:
            reset = emulator.reset()
            assert _md5(reset) == trace["after_terminal"][str(step)]["next_reset_obs_md5"]
