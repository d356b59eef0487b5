"""Contact sheets of episodes."""

import numpy as np

from tfds_atari_replay.figures import contact_sheets


def test_a_contact_sheet_shows_the_frames() -> None:
    """First and last frame stand at their places, a frame's rewards are framed."""
    frames = np.arange(100, dtype=np.uint8)[:, np.newaxis, np.newaxis].repeat(84, 1).repeat(84, 2)
    reward = np.zeros(100)
    reward[50] = 1
    sheet = contact_sheets.contact_sheet("a", frames, np.zeros(100, int), reward, ["NOOP"], 2, 4)
    tile = 2 * 84
    top, left = 3 * 18 - 8, 8
    assert (sheet[top : top + tile, left : left + tile] == 0).all()
    bottom, right = top + tile + 18 + 16, left + 3 * (tile + 8)
    assert (sheet[bottom : bottom + tile, right : right + tile] == 99).all()
    framed = (sheet == contact_sheets._GOOD).all(2)
    # Steps shown are 0 14 28 42 57 71 85 99: the reward of step 50 belongs to 57, first of row two.
    assert framed[bottom - 1, left + 5]
    assert framed.sum() < 3 * 4 * (tile + 4) + 200  # one frame, three pixels wide, and its caption
