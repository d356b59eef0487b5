"""Episodes in motion."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageSequence
import pytest

from tfds_atari_replay import figures
from tfds_atari_replay.figures import videos

Array = npt.NDArray[Any]


def make_episode(length: int, rewards: dict[int, float]) -> figures.Episode:
    """An episode of noise in four shades."""
    rng = np.random.default_rng(0)
    reward = np.zeros(length, np.float32)
    reward[list(rewards)] = list(rewards.values())
    return figures.Episode(
        episode_id=3,
        checkpoint_id=1,
        length=length,
        episode_return=float(reward.sum()),
        is_complete=True,
        dataset="atari_replay/pong_mixed_v0/1.0.0",
        frames=rng.integers(0, 4, (length, 84, 84), np.uint8) * np.uint8(80),
        action=np.arange(length) % 2,
        reward=reward,
        unclipped_return=np.nan,
        unclipped_reward=np.full(length, np.nan, np.float32),
        action_meanings=("NOOP", "FIRE"),
    )


def unpack_animation(data: bytes) -> Array:
    picture = PIL.Image.open(io.BytesIO(data))
    return np.stack([np.asarray(one.convert("RGB")) for one in PIL.ImageSequence.Iterator(picture)])


def unpack_sheet(data: bytes) -> Array:
    """Its frames, those that fill up its last row included."""
    sheet = np.asarray(PIL.Image.open(io.BytesIO(data)))
    assert (sheet == sheet[..., :1]).all()
    cells = sheet[..., 0].reshape(-1, 84, videos.SHEET_COLUMNS, 84).swapaxes(1, 2)
    return cells.reshape(-1, 84, 84)


@pytest.mark.parametrize("scale", [1, 3])
def test_a_video_shows_the_frames(scale: int) -> None:
    """Each pixel as a square, in gray."""
    episode = make_episode(7, {})
    video = episode.video(scale)
    assert video.shape == (7, 84 * scale + 28, 84 * scale + 8, 3)
    assert video.dtype == np.uint8
    size = 84 * scale
    shown = video[:, 4 : 4 + size, 4:-4]
    expected = np.kron(episode.frames, np.ones((1, scale, scale), np.uint8))
    np.testing.assert_array_equal(shown, np.stack([expected] * 3, -1))


def test_rewards_outline_frames() -> None:
    """From the step on that got them, for five steps; the last one counts."""
    video = make_episode(20, {2: 1, 10: 1, 12: -1}).video()
    corners = [tuple(color) for color in video[:, 0, 0].tolist()]
    none, good, bad = (24, 24, 24), videos.GOOD, videos.BAD
    expected = [none] * 2 + [good] * 5 + [none] * 3 + [good] * 2 + [bad] * 5 + [none] * 3
    assert corners == expected


def test_the_first_steps_have_no_mark_without_reward() -> None:
    assert (make_episode(3, {}).video()[:, 0, 0] == 24).all()


def test_an_animation_holds_the_video() -> None:
    """Without loss."""
    episode = make_episode(20, {7: 1})
    assert episode.animation.stride == 1
    np.testing.assert_array_equal(unpack_animation(episode.animation.webp), episode.video())


def test_a_sheet_holds_the_frames() -> None:
    """Without loss, in rows."""
    episode = make_episode(42, {})
    sheet = videos.lay_out(episode.frames)
    assert sheet.stride == 1
    frames = unpack_sheet(sheet.webp)
    np.testing.assert_array_equal(frames[:42], episode.frames)
    assert not frames[42:].any()


def test_large_clips_show_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until they are small enough. Rewards in between are marked at the step before."""
    monkeypatch.setattr(videos, "MAX_FRAMES", 25)
    monkeypatch.setattr(videos, "MAX_BYTES", 50_000)
    episode = make_episode(50, {1: 1, 48: -1})
    sheet, animation = videos.lay_out(episode.frames), episode.animation
    for clip, stride in ((sheet, 2), (animation, 5)):
        assert clip.stride == stride
        assert len(clip.webp) <= 50_000
    np.testing.assert_array_equal(unpack_sheet(sheet.webp)[:25], episode.frames[::2])
    pictures = unpack_animation(animation.webp)
    np.testing.assert_array_equal(pictures[:, 4:-24:3, 4:-4:3, 0], episode.frames[::5])
    expected = [videos.GOOD] * 5 + [(24, 24, 24)] * 4 + [videos.BAD]
    assert [tuple(color) for color in pictures[:, 0, 0].tolist()] == expected
    assert "1 in 5 shown" in episode._repr_html_()


def test_an_episode_displays_itself() -> None:
    """As a picture that plays by itself, with what it is."""
    episode = make_episode(5, {0: 1})
    html = episode._repr_html_()
    title = "atari_replay/pong_mixed_v0/1.0.0, episode 3: 5 steps, return 1"
    assert f"<figcaption>{title}</figcaption>" in html
    (source,) = re.findall(r'src="data:image/webp;base64,(.*?)"', html)
    np.testing.assert_array_equal(unpack_animation(base64.b64decode(source)), episode.video())


def test_the_return_can_be_read_from_the_first_frame_on() -> None:
    """It is written in the same colour as the step, whether or not a reward came before."""
    picture = make_episode(1, {}).video()[0]
    step, total = np.split(picture[-20:], [126], axis=1)
    assert step.max() == total.max() > 200
