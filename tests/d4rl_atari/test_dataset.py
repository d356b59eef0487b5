"""`get_dataset` gives d4rl-atari's arrays."""

from __future__ import annotations

import pathlib
from typing import Any

import gymnasium
import numpy as np
import pytest
from helpers.datasets import DUMMY_DATA, build, rows
from helpers.logs import make_episodes, read_gz, write_log
from helpers.processes import PEAK_MEMORY, run_python
from helpers.stacks import slow_stacks

import tfds_atari_replay.d4rl_atari  # noqa: F401, registers the ids
from tfds_atari_replay.configs import find_config
from tfds_atari_replay.logs import locating

# gymnasium takes -v0 to -v4 for versions of one environment; here they are runs.
pytestmark = pytest.mark.filterwarnings("ignore:.*is out of date")


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Makes the environments find dummy_data; returns its folder."""
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(DUMMY_DATA))
    return DUMMY_DATA


@pytest.mark.parametrize(
    ("env_id", "number", "run"),
    [("breakout-mixed-v0", 1, 1), ("breakout-epoch-0-v0", 0, 1), ("breakout-expert-v4", 49, 5)],
)
def test_get_dataset_gives_the_files_rows(
    logs: pathlib.Path, env_id: str, number: int, run: int
) -> None:
    """Rows are in the file's order, with its zero rows and garbage; stacks are d4rl-atari's."""
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
    """In time order they are the dataset's, wherever the ring's cursor is."""
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


def test_missing_logs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the builder's."""
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(tmp_path))
    env: Any = gymnasium.make("pong-expert-v0")
    with pytest.raises(FileNotFoundError, match=r"No replay logs of Pong run 1, "):
        env.get_dataset()


@pytest.mark.slow
def test_stacks_take_no_memory_beside_the_frames(tmp_path: pathlib.Path) -> None:
    """There is no second copy of the frames."""
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
