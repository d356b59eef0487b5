"""Logged steps are aligned as RLDS does, and true rewards are found for groups of episodes."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from helpers.logs import write_gz
from helpers.processes import PEAK_MEMORY

from tfds_atari_replay import GAMES, schema
from tfds_atari_replay.logs.records import Episode
from tfds_atari_replay.scores.scorer import Scorer

ALIGNED = ("action", "reward", "unclipped_reward", "discount", "is_first", "is_last", "is_terminal")


def make_episode(index: int = 0, length: int = 3, **changes: Any) -> Episode:
    """An episode with frames, actions and rewards 1, 2, ... (rewards in [-1, 1])."""
    numbers = np.arange(1, length + 1 + changes.get("has_terminal_frame", False))
    frames = np.broadcast_to(numbers[:, None, None], (len(numbers), 84, 84)).astype(np.uint8)
    return Episode(
        **{
            "index": index,
            "starts_at_reset": True,
            "ends_in_terminal": True,
            "action": np.arange(1, length + 1, dtype=np.int32),
            "reward": np.array([1, -1, 0] * length, np.float32)[:length],
            "frames": iter([frames]),
            **changes,
        }
    )


def read(started: schema.Started) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """An episode, and the columns of its steps; of a frame its first pixel."""
    features = schema.features()
    episode = features.deserialize_example_np(features.serialize_example(started.finish()))
    steps = list(episode.pop("steps"))
    columns = {name: [step[name].item() for step in steps] for name in ALIGNED}
    frames = [np.unique(step["observation"]).tolist() for step in steps]
    return episode, {**columns, "observation": [value for (value,) in frames]}


@pytest.fixture
def scorer() -> Scorer:
    """In Pong, clipped rewards are the true ones."""
    return Scorer(GAMES["Pong"])


def test_a_step_is_added_for_the_terminal_state(scorer: Scorer) -> None:
    (started,) = schema.start_all([make_episode(7)], 49, scorer)
    episode, columns = read(started)
    assert episode == {
        "episode_id": 7,
        "checkpoint_id": 49,
        "episode_return": 0,
        "is_complete": True,
        "unclipped_return": 0,
    }
    assert columns == {
        "observation": [1, 2, 3, 0],
        "action": [1, 2, 3, 0],
        "reward": [1, -1, 0, 0],
        "unclipped_reward": [1, -1, 0, 0],
        "discount": [1, 1, 0, 0],
        "is_first": [True, False, False, False],
        "is_last": [False, False, False, True],
        "is_terminal": [False, False, False, True],
    }


def test_a_logged_terminal_frame_is_kept(scorer: Scorer) -> None:
    (started,) = schema.start_all([make_episode(has_terminal_frame=True)], 0, scorer)
    _, columns = read(started)
    assert columns["observation"] == [1, 2, 3, 4]
    assert columns["action"] == [1, 2, 3, 0]


def test_a_piece_has_neither_first_step_nor_terminal_state(scorer: Scorer) -> None:
    piece = make_episode(starts_at_reset=False, ends_in_terminal=False)
    (started,) = schema.start_all([piece], 0, scorer)
    episode, columns = read(started)
    assert not episode["is_complete"]
    assert columns["observation"] == [1, 2, 3]
    assert columns["discount"] == [1, 1, 1]
    assert columns["is_first"] == [False] * 3
    assert columns["is_last"] == [False, False, True]
    assert columns["is_terminal"] == [False] * 3


def test_all_episodes_come_in_order_with_their_returns(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """True rewards are found for groups of at least four steps; the last group is smaller."""
    monkeypatch.setattr(schema, "_STEPS_AT_ONCE", 4)
    lengths = (2, 2, 5, 1)
    episodes = [make_episode(*item) for item in enumerate(lengths)]
    found = [read(started)[0] for started in schema.start_all(episodes, 0, scorer)]
    assert [episode["episode_id"] for episode in found] == [0, 1, 2, 3]
    assert [episode["unclipped_return"] for episode in found] == [0, 0, 0, 1]


def test_the_first_version_has_no_true_rewards() -> None:
    old, new = schema.features("1.0.0"), schema.features()
    assert set(new) - set(old) == {"unclipped_return"}
    assert set(new["steps"].feature) - set(old["steps"].feature) == {"unclipped_reward"}
    assert schema.has_scores(new)
    assert not schema.has_scores(old)


def test_names_and_dtypes_are_rlu_ataris(expert: Any) -> None:
    """TFDS's builder of the other public copy has the same, but for what is ours."""
    from tensorflow_datasets.rl_unplugged import atari_utils

    theirs, ours = atari_utils.features_dict(), expert.info.features
    assert set(ours) - set(theirs) == {"is_complete", "unclipped_return"}
    assert set(theirs) <= set(ours)
    for name in set(theirs) - {"steps"}:
        assert (ours[name].np_dtype, ours[name].shape) == (
            theirs[name].np_dtype,
            theirs[name].shape,
        )
    our_steps, their_steps = (dict(f["steps"].feature.get_tensor_info()) for f in (ours, theirs))
    assert our_steps.pop("unclipped_reward").np_dtype == np.float32
    assert {name: (info.shape, info.np_dtype) for name, info in our_steps.items()} == {
        name: (info.shape, info.np_dtype) for name, info in their_steps.items()
    }


@pytest.mark.slow
def test_memory_stays_small(tmp_path: pathlib.Path) -> None:
    """Reading and encoding 700 MB of frames takes less than 60 MB more than Python does."""
    folder = tmp_path / "Breakout" / "1" / "replay_logs"
    folder.mkdir(parents=True)
    count = 100_000
    for name, array in (
        ("$store$_action", np.zeros(count, np.int32)),
        ("$store$_reward", np.zeros(count, np.float32)),
        ("$store$_terminal", np.arange(count) % 25_000 == 24_999),
        ("add_count", np.array(2 * count - 1)),
    ):
        array = array.astype(np.uint8) if array.dtype == np.bool_ else array
        write_gz(folder / f"{name}_ckpt.1.gz", array)
    code = f"""
{PEAK_MEMORY}
import gzip
import numpy as np
from tfds_atari_replay import GAMES, schema
from tfds_atari_replay.logs import layouts
from tfds_atari_replay.scores.scorer import Scorer
from etils import epath
header = {{"descr": "|u1", "fortran_order": False, "shape": ({count}, 84, 84)}}
with gzip.open({str(folder / "$store$_observation_ckpt.1.gz")!r}, "wb", 1) as file:
    np.lib.format.write_array_header_1_0(file, header)
    for _ in range({count} // 1000):
        file.write(np.full((1000, 84, 84), 3, np.uint8).tobytes())
features = schema.features()
(first, *_) = layouts.find_run(epath.Path({str(tmp_path)!r}), GAMES["Breakout"], 1)
checkpoint = first.open()
before = peak_memory()
scorer, steps = Scorer(GAMES["Breakout"]), 0
for episode in checkpoint.episodes():
    features.encode_example(schema.start(episode, 1, scorer).finish())
    steps += len(episode.action)
print(steps, peak_memory() - before)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    steps, grown = map(int, result.stdout.split())
    assert steps == count
    assert grown < 60e6
