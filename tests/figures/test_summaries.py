"""A dataset's episode table, and one of its episodes."""

from __future__ import annotations

import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
from helpers.datasets import DUMMY_DATA, build, rows

from tfds_atari_replay import blocks, figures


def test_a_summary_unpacks_no_frame(expert: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That keeps it below a second per million steps."""

    def refuse(*_: Any) -> None:
        raise AssertionError("unpacked a block")

    for name in ("unpack_blocks", "unpack_block_np", "unpack_frames", "frames_of_np"):
        monkeypatch.setattr(blocks, name, refuse)
    data_dir = expert.data_path.parents[2]
    summary = figures.summarize("atari_replay/breakout_expert_v0", data_dir=data_dir)
    assert summary.episodes.tolist() == [
        (0, 50, 690, 17, False, 20),
        (1, 50, 729, 18, True, 18),
        (2, 50, 74, 2, False, 2),
    ]
    assert summary.source == "Breakout, run 1, checkpoint 50"
    with pytest.raises(AssertionError, match="unpacked a block"):
        summary.read(2)


@pytest.mark.parametrize(
    "file_format", ["tfrecord", pytest.param("array_record", marks=pytest.mark.slow)]
)
def test_episodes_are_those_of_the_dataset(tmp_path: pathlib.Path, file_format: str) -> None:
    """Every field of every episode is equal, in each format; logged steps' actions are counted."""
    builder = build("breakout_epoch_1_v0", DUMMY_DATA, tmp_path, file_format=file_format)
    summary = figures.summarize("atari_replay/breakout_epoch_1_v0", data_dir=tmp_path)
    if file_format == "array_record":
        source = builder.as_data_source(split="train")
        stored = [{**episode, "steps": list(episode["steps"])} for episode in source]
    else:
        stored = rows(builder)
    assert len(stored) == len(summary.episodes)
    logged: list[int] = []
    for row in stored:
        steps = [step for step in row["steps"] if not step["is_terminal"]]
        episode = summary.read(int(row["episode_id"]))
        assert episode.length == len(steps)
        assert episode.is_complete == row["is_complete"]
        assert episode.episode_return == row["episode_return"]
        for name, array in (
            ("observation", episode.frames[..., np.newaxis]),
            ("action", episode.action),
            ("reward", episode.reward),
            ("unclipped_reward", episode.unclipped_reward),
        ):
            np.testing.assert_array_equal(array, [step[name] for step in steps])
        logged += episode.action.tolist()
    assert summary.action_counts.tolist() == [logged.count(action) for action in range(4)]


def test_reading_without_a_number_gives_the_best(summary: figures.Summary) -> None:
    """Cut episodes count too; true returns are compared."""
    assert summary.read().episode_id == 0
    assert repr(summary.read()) == (
        "Episode(episode_id=0, checkpoint_id=50, length=690, episode_return=17.0, "
        "is_complete=False, unclipped_return=20.0)"
    )


def test_an_unknown_episode(summary: figures.Summary) -> None:
    with pytest.raises(ValueError, match=r"must be one with steps: 0, 1, 2 \(got 3\)"):
        summary.read(3)


@pytest.mark.parametrize("episode_id", ["a", 1.0, True, [1]])
def test_an_episode_id_of_the_wrong_type(summary: figures.Summary, episode_id: Any) -> None:
    with pytest.raises(TypeError, match=r"episode_id must be a whole number, at least 0 \(got "):
        summary.read(episode_id)


def ranked(summary: figures.Summary, complete: list[bool]) -> list[int]:
    episodes = np.zeros(len(complete), summary.episodes.dtype)
    episodes["episode_id"] = np.arange(len(complete))
    episodes["length"] = 1
    episodes["unclipped_return"] = [1, 4, 4, 2, 9][: len(complete)]
    episodes["is_complete"] = complete
    made = figures.Summary(None, episodes, summary.action_counts, np.zeros((0, 2)))
    found: list[int] = made.ranked["episode_id"].tolist()
    return found


def test_only_complete_episodes_are_ranked(summary: figures.Summary) -> None:
    """If fewer than three are complete, all are ranked; equal returns are in time order."""
    assert ranked(summary, [True, True, True, True, False]) == [1, 2, 3, 0]
    assert ranked(summary, [True, True, False, False, False]) == [4, 1, 2, 3, 0]


def test_true_returns_rank_if_half_are_known(summary: figures.Summary) -> None:
    """Episodes of unknown return then have no rank; otherwise clipped returns rank all."""
    episodes = np.zeros(4, summary.episodes.dtype)
    episodes["episode_id"] = range(4)
    episodes["length"] = 1
    episodes["is_complete"] = True
    episodes["episode_return"] = [1, 2, 3, 4]
    episodes["unclipped_return"] = [90, np.nan, np.nan, 10]
    made = figures.Summary(None, episodes, summary.action_counts, np.zeros((0, 2)))
    assert made.ranked["episode_id"].tolist() == [0, 3]
    episodes["unclipped_return"][0] = np.nan
    made = figures.Summary(None, episodes, summary.action_counts, np.zeros((0, 2)))
    assert made.ranked["episode_id"].tolist() == [3, 2, 1, 0]


def test_damage_is_reported_with_the_way_out(expert: Any, tmp_path: pathlib.Path) -> None:
    shutil.copytree(expert.data_path.parent, tmp_path / "atari_replay" / "breakout_expert_v0")
    (path,) = tmp_path.rglob("*.tfrecord*")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"is damaged: .* prepare it again, with tfds build"):
        figures.summarize("atari_replay/breakout_expert_v0", data_dir=tmp_path)


def test_a_run_is_all_that_is_prepared_of_it(expert: Any, tmp_path: pathlib.Path) -> None:
    """In checkpoint order, without other runs or unfinished datasets; a whole run is alone."""
    root = tmp_path / "atari_replay"
    shutil.copytree(expert.data_path.parent, root / "breakout_expert_v0")
    build("breakout_mixed_v0", DUMMY_DATA, tmp_path)
    build("breakout_expert_v4", DUMMY_DATA, tmp_path)
    (root / "breakout_medium_v0" / "incomplete.X_1.0.0").mkdir(parents=True)
    summary = figures.summarize("atari_replay/breakout_expert_v0", data_dir=tmp_path)
    names = [one.name for one in figures.summarize_run(summary)]
    assert names == ["breakout_mixed_v0", "breakout_expert_v0"]
    build("breakout_full_v0", DUMMY_DATA, tmp_path)
    assert [one.name for one in figures.summarize_run(summary)] == ["breakout_full_v0"]
