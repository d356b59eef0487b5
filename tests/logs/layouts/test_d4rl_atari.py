"""d4rl-atari's cache: the files it has, and what follows from those it lacks."""

import pathlib
from typing import Any

import numpy as np
import pytest
from helpers.logs import copy_to_cache, find_checkpoint, log_folder, make_episodes, write_log

from tfds_atari_replay import GAMES
from tfds_atari_replay.logs.layouts.d4rl_atari import D4rlAtariLayout


def test_the_same_episodes_as_from_dopamines_logs(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without add_count, a dump at the end of a lap is assumed, with a warning."""
    truth = write_log(log_folder(tmp_path), 30, make_episodes([12, 50, 20]))
    for number in (0, 1):
        copy_to_cache(log_folder(tmp_path), tmp_path / "cache" / "Breakout" / "1", number)
        opened = find_checkpoint(tmp_path / "cache", "Breakout", 1, number).open()
        assert (opened.add_count, opened.cursor, opened.is_cursor_assumed) == (None, 29, True)
        for episode, expected in zip(opened.episodes(), truth[number], strict=True):
            np.testing.assert_array_equal(np.concatenate(list(episode.frames)), expected.frames)
            np.testing.assert_array_equal(episode.action, expected.action)
            np.testing.assert_array_equal(episode.reward, expected.reward)
            assert episode.starts_at_reset == expected.starts_at_reset
            assert episode.ends_in_terminal == expected.ends_in_terminal
        assert f"Breakout run 1 checkpoint {number}" in caplog.messages[number]
        assert "holds no add_count. Assuming a dump at the end of a lap" in caplog.messages[number]


def test_only_its_own_names_are_files(tmp_path: pathlib.Path) -> None:
    """Other files and folders are passed over; an incomplete checkpoint says what it lacks."""
    run = tmp_path / "Breakout" / "1"
    for name in ("7/reward.gz", "7/notes.txt", "7/action", "07/action.gz", "8/add_count.gz"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).touch()
    layout: Any = D4rlAtariLayout()
    (files,) = layout.find(tmp_path, GAMES["Breakout"], 1)
    assert files.number == 7
    assert files.paths == {"reward": run / "7" / "reward.gz"}
    assert files.folder == run / "7"
    assert files.missing == ["observation", "action", "terminal"]
    assert layout.runs(tmp_path / "Breakout") == {1}


def test_a_run_is_not_joined(tmp_path: pathlib.Path) -> None:
    write_log(log_folder(tmp_path), 30, make_episodes([50]))
    copy_to_cache(log_folder(tmp_path), tmp_path / "cache" / "Breakout" / "1", 0)
    files = find_checkpoint(tmp_path / "cache", "Breakout", 1, 0)
    with pytest.raises(
        ValueError, match=r"Breakout run 1 cannot be joined .*Breakout/1: it lacks add_count, which"
    ):
        files.layout.join([files])
