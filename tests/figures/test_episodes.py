"""An episode that displays itself."""

from __future__ import annotations

import base64
import dataclasses
import re

import numpy as np
import pytest
from helpers.episodes import make_episode, unpack_animation

from tfds_atari_replay.figures import contact_sheets, videos

TITLE = "atari_replay/pong_mixed_v0/1.0.0, episode 3: 5 steps, return 1"


def test_the_title_says_what_is_known() -> None:
    """It has the true score if that is known, and says whether the episode is cut."""
    episode = make_episode(5, {0: 1})
    assert episode.title == TITLE
    scored = dataclasses.replace(episode, unclipped_return=1234.0)
    assert scored.title == f"{TITLE}, true score 1,234"
    assert dataclasses.replace(scored, is_complete=False).title == f"{scored.title}, cut"


@pytest.mark.parametrize("scale", [1, 3])
def test_a_video_shows_the_frames(scale: int) -> None:
    """Each pixel is a square, in gray."""
    episode = make_episode(7, {})
    video = episode.video(scale)
    assert video.shape == (7, 84 * scale + 28, 84 * scale + 8, 3)
    assert video.dtype == np.uint8
    size = 84 * scale
    shown = video[:, 4 : 4 + size, 4:-4]
    expected = np.kron(episode.frames, np.ones((1, scale, scale), np.uint8))
    np.testing.assert_array_equal(shown, np.stack([expected] * 3, -1))


def test_a_contact_sheet_has_the_title() -> None:
    episode = make_episode(40, {7: 1})
    columns = (episode.frames, episode.action, episode.reward, episode.action_meanings)
    expected = contact_sheets.contact_sheet(episode.title, *columns)
    np.testing.assert_array_equal(episode.contact_sheet(), expected)
    assert (contact_sheets.contact_sheet("", *columns) != expected).any()


def test_an_episode_displays_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook shows the animation, the title, and how many steps the animation leaves out."""
    episode = make_episode(5, {0: 1})
    html = episode._repr_html_()
    assert f"<figcaption>{TITLE}</figcaption>" in html
    (source,) = re.findall(r'src="data:image/webp;base64,(.*?)"', html)
    np.testing.assert_array_equal(unpack_animation(base64.b64decode(source)), episode.video())
    monkeypatch.setattr(videos, "MAX_FRAMES", 2)
    assert f"{TITLE}, 1 in 3 shown</figcaption>" in make_episode(5, {0: 1})._repr_html_()
