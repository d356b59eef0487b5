"""Videos, animations and sheets of episodes."""

from __future__ import annotations

import base64
import io

import numpy as np
import PIL.Image
import pytest
from helpers.episodes import Array, make_episode, unpack_animation

from tfds_atari_replay.figures import videos
from tfds_atari_replay.figures.drawing import BAD, GOOD, PAPER


def unpack(webp: bytes) -> Array:
    """A picture, uint8 (height, width)."""
    picture = np.asarray(PIL.Image.open(io.BytesIO(webp)))
    assert (picture == picture[..., :1]).all()
    return picture[..., 0]


def unpack_sheet(webp: bytes) -> Array:
    """The frames of a sheet, including those that fill up its last row."""
    cells = unpack(webp).reshape(-1, 84, videos.SHEET_COLUMNS, 84).swapaxes(1, 2)
    return cells.reshape(-1, 84, 84)


def outlines(video: Array) -> list[tuple[int, ...]]:
    """The colour around each frame."""
    return [tuple(color) for color in video[:, 0, 0].tolist()]


def test_rewards_outline_frames() -> None:
    """A reward outlines its frame and the next four, unless a later reward takes over."""
    episode = make_episode(20, {2: 1, 10: 1, 12: -1})
    video = videos.draw(episode.frames, episode.reward, np.arange(20), scale=3)
    expected = [PAPER] * 2 + [GOOD] * 5 + [PAPER] * 3 + [GOOD] * 2 + [BAD] * 5 + [PAPER] * 3
    assert outlines(video) == expected


def test_the_first_frames_have_no_outline_without_a_reward() -> None:
    episode = make_episode(3, {})
    video = videos.draw(episode.frames, episode.reward, np.arange(3), scale=1)
    assert outlines(video) == [PAPER] * 3


def test_rewards_between_shown_steps_count() -> None:
    """They are marked, and added to the return, at the shown step before them."""
    episode = make_episode(6, {1: 1, 2: 1, 5: -1})
    video = videos.draw(episode.frames, episode.reward, np.array([0, 3]), scale=2)
    assert outlines(video) == [GOOD, BAD]
    np.testing.assert_array_equal(video[:, 4:-24:2, 4:-4:2, 0], episode.frames[[0, 3]])
    # The same returns, 2 and 1, of an episode that gets them at those steps.
    other = make_episode(6, {0: 2, 3: -1})
    same = videos.draw(other.frames, other.reward, np.array([0, 3]), scale=2)
    np.testing.assert_array_equal(video, same)


def test_an_animation_holds_the_video() -> None:
    """The animation is lossless."""
    episode = make_episode(20, {7: 1})
    clip = videos.animate(episode.frames, episode.reward)
    assert clip.stride == 1
    np.testing.assert_array_equal(unpack_animation(clip.webp), episode.video())


def test_a_sheet_holds_the_frames() -> None:
    """It is lossless; black frames fill up its last row."""
    episode = make_episode(42, {})
    sheet = videos.lay_out(episode.frames)
    assert sheet.stride == 1
    frames = unpack_sheet(sheet.webp)
    np.testing.assert_array_equal(frames[:42], episode.frames)
    assert not frames[42:].any()


def test_large_clips_show_fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """They show as many as fit into the limits of frames and bytes."""
    monkeypatch.setattr(videos, "MAX_FRAMES", 25)
    monkeypatch.setattr(videos, "MAX_BYTES", 50_000)
    episode = make_episode(50, {1: 1, 48: -1})
    sheet = videos.lay_out(episode.frames)
    animation = videos.animate(episode.frames, episode.reward)
    for clip, stride in ((sheet, 2), (animation, 5)):
        assert clip.stride == stride
        assert len(clip.webp) <= 50_000
    np.testing.assert_array_equal(unpack_sheet(sheet.webp)[:25], episode.frames[::2])
    pictures = unpack_animation(animation.webp)
    np.testing.assert_array_equal(pictures[:, 4:-24:3, 4:-4:3, 0], episode.frames[::5])
    assert outlines(pictures) == [GOOD] * 5 + [PAPER] * 4 + [BAD]


def test_a_url_holds_its_picture() -> None:
    frame = make_episode(1, {}).frames[0]
    kind, _, data = videos.to_url(videos.to_webp([frame])).partition(",")
    assert kind == "data:image/webp;base64"
    np.testing.assert_array_equal(unpack(base64.b64decode(data)), frame)


def test_the_return_can_be_read_from_the_first_frame_on() -> None:
    """It is written in the same colour as the step, whether or not a reward came before."""
    picture = make_episode(1, {}).video()[0]
    step, total = np.split(picture[-20:], [126], axis=1)
    assert step.max() == total.max() > 200


def test_the_return_is_that_so_far() -> None:
    one, two, sum_of_two = (
        make_episode(7, rewards).video()[6] for rewards in ({0: 1}, {0: 2}, {0: 1, 1: 1})
    )
    assert (one != two).any()
    np.testing.assert_array_equal(two, sum_of_two)
