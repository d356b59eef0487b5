"""What an episode of a dataset holds, and how its steps are aligned."""

import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from helpers.datasets import build, columns, rows
from helpers.logs import make_episodes, write_gz, write_log
from helpers.processes import PEAK_MEMORY

SCALARS = ("action", "reward", "discount", "is_first", "is_last", "is_terminal")


def test_alignment(tmp_path: pathlib.Path) -> None:
    """Episodes of four, whole and cut at either end, written out flag by flag."""
    # Capacity 21: adds 0-2 padding, 3-5 an episode, 6-8 padding, 9-13 one, 14-16, 17-19 the rest.
    truths = make_episodes([3, 5, 3, 30])
    write_log(tmp_path / "Breakout" / "1" / "replay_logs", 21, truths)
    builder = build("breakout_epoch_0_v0", tmp_path, tmp_path / "data")
    first, second, third = rows(builder)
    assert columns(first["steps"], *SCALARS) == [
        [0, 1, 2, 0],
        [-1, 0, 1, 0],
        [1, 1, 0, 0],
        [True, False, False, False],
        [False, False, False, True],
        [False, False, False, True],
    ]
    assert [step["observation"][0, 0, 0] for step in first["steps"]] == [0, 1, 2, 0]
    assert not first["steps"][-1]["observation"].any()
    assert first["steps"][-2]["observation"].any()
    assert (first["episode_return"], first["is_complete"], first["checkpoint_id"]) == (0, True, 0)
    assert len(second["steps"]) == 6
    assert second["episode_return"] == sum([-1, 0, 1, -1, 0])
    # The third is whole: the checkpoint ends with its terminal.
    assert third["is_complete"]

    builder = build("breakout_epoch_1_v0", tmp_path, tmp_path / "data")
    (piece,) = rows(builder)
    assert columns(piece["steps"], "is_first", "is_last", "is_terminal", "discount") == [
        [True] + [False] * 17,
        [False] * 17 + [True],
        [False] * 18,
        [1] * 18,
    ]
    assert not piece["is_complete"]


def test_a_piece_that_begins_mid_episode_has_no_first_step(tmp_path: pathlib.Path) -> None:
    """Nor does it count as complete, though it ends in a terminal."""
    write_log(tmp_path / "Breakout" / "1" / "replay_logs", 20, make_episodes([30, 5]))
    piece = rows(build("breakout_epoch_1_v0", tmp_path, tmp_path / "data"))[0]
    flags = columns(piece["steps"], "is_first", "is_terminal")
    assert not any(flags[0])
    assert flags[1][-1]
    assert not piece["is_complete"]


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
