"""Checkpoints of Dopamine's ring, as layouts open them."""

import pathlib

import numpy as np
import pytest
from helpers.logs import find_checkpoint, log_folder, make_episodes, write_log


@pytest.mark.parametrize("number", [0, 1, 2])
def test_rows_in_time_order_are_the_episodes_behind_one_another(
    tmp_path: pathlib.Path, number: int
) -> None:
    """The first ring lacks a row, the second is full, and the last ends in the middle."""
    held = write_log(log_folder(tmp_path), 40, make_episodes([30, 30, 30]))[number]
    opened = find_checkpoint(tmp_path, "Breakout", 1, number).open()
    rows = opened.rows()
    frames = opened.in_time_order(rows.frames)
    is_played = frames.any(axis=(1, 2))  # padding is black
    np.testing.assert_array_equal(frames[is_played], np.concatenate([e.frames for e in held]))
    for name in ("action", "reward"):
        expected = np.concatenate([getattr(episode, name) for episode in held])
        got = opened.in_time_order(getattr(rows, name))
        np.testing.assert_array_equal(got[is_played], expected)
