"""Frames come in time order, and are checked down to the last byte of their file."""

import gzip
import pathlib

import numpy as np
import pytest
from helpers.damage import flip, in_place, path_of, read_all
from helpers.logs import open_log, write_gz

from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.logs.checkpoint import Piece
from tfds_atari_replay.logs.episodes import read_episodes
from tfds_atari_replay.logs.frames import FrameReader, find_black_frames, read_frames
from tfds_atari_replay.logs.records import Frames


@pytest.mark.parametrize("position", range(-12, 0))
def test_any_flipped_byte_at_the_end_is_found(log: pathlib.Path, position: int) -> None:
    in_place("observation", flip(position))(log)
    with pytest.raises(ReplayLogError, match=r"observation_ckpt\.1\.gz is damaged"):
        read_all(log)


def test_a_full_lap_is_checked_to_its_end_before_its_first_step(log: pathlib.Path) -> None:
    """In a dump at the end of a lap, the checksum is compared before any frame is returned."""
    in_place("observation", flip(-5))(log)
    checkpoint = open_log(log.parents[2], "Breakout", 1, 1)
    first = next(read_episodes(checkpoint))
    with pytest.raises(ReplayLogError, match="CRC"):
        next(first.frames)


def test_frames_of_pieces_come_in_time_order(
    log: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the sizes of arrays and requests; `peek` takes nothing."""
    monkeypatch.setattr("tfds_atari_replay.logs.frames._AT_ONCE", 7)
    rings = [open_log(log.parents[2], "Breakout", 1, number) for number in (1, 2)]
    pieces = [Piece(rings[0], 5, 40), Piece(rings[1], 0, 0), Piece(rings[1], 37, 40)]
    in_time = [ring.in_time_order(read_frames(ring)) for ring in rings]
    expected = [*in_time[0][5:40], *in_time[1][37:40]]
    reader = FrameReader(pieces)
    got: list[Frames] = []
    while len(got) < len(expected):
        np.testing.assert_array_equal(reader.peek(), expected[len(got)])
        frames = reader.read(3)
        assert 1 <= len(frames) <= 3
        got += list(frames)
    np.testing.assert_array_equal(got, expected)
    with pytest.raises(StopIteration):
        reader.peek()


def test_black_frames_are_found_among_the_rows_that_are_asked_for(log: pathlib.Path) -> None:
    """One pixel makes a frame none; the whole file is checked."""
    frames = np.zeros((40, 84, 84), np.uint8)
    frames[[2, 9, 39], [0, 50, 83], [0, 50, 83]] = 1
    write_gz(path_of(log, "observation"), frames)
    rows = np.zeros(40, np.bool_)
    rows[[0, 2, 8, 9, 38, 39]] = True
    checkpoint = open_log(log.parents[2], "Breakout", 1, 1)
    assert np.flatnonzero(find_black_frames(checkpoint, rows)).tolist() == [0, 8, 38]
    in_place("observation", lambda data: gzip.compress(gzip.decompress(data) + b"more"))(log)
    with pytest.raises(ReplayLogError, match="expected the file to end with its array"):
        find_black_frames(open_log(log.parents[2], "Breakout", 1, 1), rows)
