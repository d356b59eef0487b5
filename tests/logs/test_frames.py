"""Frames are checked down to the last byte of their file."""

import pathlib

import pytest
from helpers.damage import flip, in_place, read_all
from helpers.logs import open_log

from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.logs.episodes import read_episodes


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
