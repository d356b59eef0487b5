"""Ways to damage a log of Dopamine's."""

from __future__ import annotations

import gzip
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from helpers.datasets import DUMMY_DATA
from helpers.logs import open_log, read_gz, write_gz
from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.logs.episodes import read_episodes
from tfds_atari_replay.logs.records import Episode

CAPACITY = 40


def path_of(log: pathlib.Path, name: str) -> pathlib.Path:
    """The file of an array of checkpoint 1."""
    prefix = "" if name == "add_count" else "$store$_"
    return log / f"{prefix}{name}_ckpt.1.gz"


def read_all(log: pathlib.Path) -> None:
    """Reads checkpoint 1 to its end."""
    take_all(read_episodes(open_log(log.parents[2], "Breakout", 1, 1)))


def take_all(found: Iterable[Episode]) -> None:
    """Takes all frames of episodes."""
    for episode in found:
        for _ in episode.frames:
            pass


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[pathlib.Path], None]:
    """Rewrites an array, changed, as a whole .npy.gz."""

    def damage(log: pathlib.Path) -> None:
        write_gz(path_of(log, name), change(read_gz(path_of(log, name))))

    return damage


def in_place(name: str, change: Callable[[bytearray], Any]) -> Callable[[pathlib.Path], None]:
    """Changes the bytes of a file."""

    def damage(log: pathlib.Path) -> None:
        data = bytearray(path_of(log, name).read_bytes())
        result = change(data)
        path_of(log, name).write_bytes(data if result is None else result)

    return damage


def with_value(index: int, value: Any) -> Callable[[Any], Any]:
    """Sets one row."""

    def change(array: Any) -> Any:
        array[index] = value
        return array

    return change


def flip(position: int) -> Callable[[bytearray], None]:
    """Flips a bit of one byte."""

    def change(data: bytearray) -> None:
        data[position] ^= 1

    return change


def replaced(name: str, replace: Callable[[pathlib.Path], None]) -> Callable[[pathlib.Path], None]:
    """Puts something else in a file's place."""

    def damage(log: pathlib.Path) -> None:
        path_of(log, name).unlink()
        replace(path_of(log, name))

    return damage


def assert_refused(log: pathlib.Path, damage: Callable[[pathlib.Path], None], message: str) -> None:
    """Damages checkpoint 1; the error names checkpoint, file and cause, and what to do."""
    read_all(log)  # it was whole before
    damage(log)
    with pytest.raises(ReplayLogError, match=message) as error:
        read_all(log)
    assert str(error.value).startswith(f"Breakout run 1 checkpoint 1: {log}/")
    assert str(error.value).endswith("Delete it and copy it again from where it came.")


def damaged_copy(tmp_path: pathlib.Path) -> pathlib.Path:
    """Copies dummy_data's Breakout: one file missing, one cut, one changed, one resized."""
    root = tmp_path / "[bold] damaged"
    shutil.copytree(DUMMY_DATA / "Breakout", root / "Breakout")
    logs = root / "Breakout" / "1" / "replay_logs"
    os.truncate(logs / "$store$_observation_ckpt.10.gz", 50_000)
    (logs / "$store$_action_ckpt.49.gz").unlink()
    write_gz(logs / "$store$_terminal_ckpt.0.gz", np.zeros(7, np.uint8))
    path = logs / "$store$_observation_ckpt.1.gz"
    data = path.read_bytes()
    path.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    (logs / "add_count_ckpt.50.gz").unlink()
    with gzip.open(root / "Breakout" / "5" / "replay_logs" / path.name, "ab") as file:
        file.write(b"more")
    return root
