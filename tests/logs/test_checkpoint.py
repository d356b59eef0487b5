"""Damaged logs are refused, with what and where, before anything is made of them."""

import gzip
import os
import pathlib
import pickle
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
from helpers.logs import (
    find_checkpoint,
    log_folder,
    make_episodes,
    open_log,
    read_gz,
    write_gz,
    write_log,
)
from helpers.processes import unprivileged

from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.logs.episodes import read_episodes
from tfds_atari_replay.logs.records import Episode

CAPACITY = 40


@pytest.fixture
def log(tmp_path: pathlib.Path) -> pathlib.Path:
    """A run of Breakout with the checkpoints 0, 1 and 2; the folder of its files."""
    write_log(log_folder(tmp_path), CAPACITY, make_episodes([30, 30, 40]))
    return log_folder(tmp_path)


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


def pickled(log: pathlib.Path) -> None:
    """Objects, which np.save pickles."""
    write_gz(path_of(log, "reward"), np.array([os, None], object)[1:], allow_pickle=True)


def a_pickle(log: pathlib.Path) -> None:
    """A bare pickle, which runs code when it is loaded."""
    with gzip.open(path_of(log, "terminal"), "wb") as file:
        pickle.dump({1, 2}, file)


def header(text: str, version: int = 1) -> bytes:
    """A .npy's head with this text for its header."""
    data = text.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + len(data).to_bytes(2 * version, "little") + data


def with_header(name: str, text: str, version: int = 1) -> Callable[[pathlib.Path], None]:
    """Gives an array another header."""

    def change(data: bytearray) -> bytes:
        array = gzip.decompress(data)
        return gzip.compress(header(text, version) + array[128:])

    return in_place(name, change)


def replaced(name: str, replace: Callable[[pathlib.Path], None]) -> Callable[[pathlib.Path], None]:
    """Puts something else in a file's place."""

    def damage(log: pathlib.Path) -> None:
        path_of(log, name).unlink()
        replace(path_of(log, name))

    return damage


UNREADABLE = {
    "a folder": (replaced("reward", pathlib.Path.mkdir), "reward.*cannot be read: Is a directory"),
    "a dangling link": (
        replaced("observation", lambda path: path.symlink_to("/nowhere")),
        "observation.*cannot be read: No such file",
    ),
    "a link to itself": (
        replaced("add_count", lambda path: path.symlink_to(path)),
        "add_count.*cannot be read: Too many levels",
    ),
}

DAMAGES = {
    "header with an open bracket": (
        with_header("action", "{'descr': '<i4', 'fortran_order': False, 'shape': (40,"),
        "its .npy header cannot be read",
    ),
    "header with an open quote": (
        with_header("action", "{'descr': '<i4', 'fortran_order': False, 'shape': (40'"),
        "its .npy header cannot be read",
    ),
    "header of a thousand brackets": (
        with_header("action", "(" * 1000),
        "its .npy header cannot be read",
    ),
    "header without a shape": (
        with_header("action", "{'descr': '<i4', 'fortran_order': False, 'shape': None}"),
        "its .npy header cannot be read",
    ),
    "header with an unhashable key": (with_header("action", "{[]: 1}"), "cannot be read"),
    "header with a NUL": (with_header("action", "{'descr': \0}"), "cannot be read"),
    "a header that is too long": (
        with_header("action", " " * 20_000),
        "its .npy header is 20,000 bytes long, expected 10,000 at most",
    ),
    "a header of 4 GB": (
        in_place("action", lambda _: gzip.compress(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}")),
        "its .npy header is 4,294,967,295 bytes long",
    ),
    "a header that ends early": (
        in_place("action", lambda _: gzip.compress(b"\x93NUMPY\x01\x00\x76\x00{'descr'")),
        "action.*110 bytes are missing at its end",
    ),
    "10**12 rows": (
        with_header(
            "observation",
            "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 84, 84)}",
        ),
        r"header promises 7,056,000,000,000,000 bytes, but a gzip file of its size holds at most",
    ),
    "10**12 actions": (
        with_header("action", "{'descr': '<i4', 'fortran_order': False, 'shape': (10**12,)}"),
        "its .npy header cannot be read",
    ),
    "negative rows": (
        with_header("action", "{'descr': '<i4', 'fortran_order': False, 'shape': (-40,)}"),
        r"expected a shape of positive numbers, got \(-40,\)",
    ),
    "negative rows and columns": (
        with_header(
            "observation", "{'descr': '|u1', 'fortran_order': False, 'shape': (-40, -84, 84)}"
        ),
        r"expected a shape of positive numbers, got \(-40, -84, 84\)",
    ),
    "cut short": (in_place("observation", lambda d: d[:-30]), "observation.*(ended|end-of)"),
    "cut to less than it can unpack to": (
        in_place("observation", lambda d: d[: len(d) // 2]),
        r"header promises 282,240 bytes, but a gzip file of its size holds at most \d",
    ),
    "a short array cut": (in_place("action", lambda d: d[:-9]), "action.*(ended|end-of)"),
    "empty": (in_place("reward", lambda _: b""), "reward.*begins b''"),
    "not gzip": (in_place("terminal", lambda _: b"hello, world"), "terminal.*[Gg]zip"),
    "checksum flipped": (in_place("observation", flip(-5)), "observation.*CRC"),
    "length flipped": (in_place("observation", flip(-1)), "observation.*length"),
    "checksum of a short array flipped": (in_place("terminal", flip(-5)), "terminal.*CRC"),
    "garbage behind": (
        in_place("observation", lambda d: bytes(d) + b"garbage"),
        "observation.*damaged",
    ),
    "not .npy": (
        in_place("action", lambda _: gzip.compress(b"no array at all")),
        r"expected a .npy array of version 1 or 2, it begins b'no array'",
    ),
    "header of nonsense": (
        in_place("action", lambda _: gzip.compress(b"\x93NUMPY\x01\x00\x04\x00{x:}")),
        "its .npy header cannot be read",
    ),
    "pickled": (pickled, "expected numbers, got pickled objects, which are never loaded"),
    "a pickle": (a_pickle, "terminal.*expected a .npy array"),
    "dtype of the frames": (
        changed("observation", lambda a: a.astype(np.int16)),
        r"expected uint8 \(capacity, 84, 84\), got int16 \(40, 84, 84\)",
    ),
    "dtype of the actions": (
        changed("action", lambda a: a.astype(np.int64)),
        r"expected int32 \(capacity\), got int64 \(40,\)",
    ),
    "byte order": (
        changed("reward", lambda a: a.astype(">f4")),
        r"expected float32 \(capacity\), got >f4 \(40,\)",
    ),
    "shape": (
        changed("observation", lambda a: a[:, :80]),
        r"expected uint8 \(capacity, 84, 84\), got uint8 \(40, 80, 84\)",
    ),
    "no rows": (changed("observation", lambda a: a[:0]), r"got uint8 \(0, 84, 84\)"),
    "Fortran order": (
        changed("observation", np.asfortranarray),
        "expected rows in C order, got Fortran order",
    ),
    "unequal lengths": (
        changed("terminal", lambda a: a[:-1]),
        "terminal.*it has 39 rows, 'observation' has 40",
    ),
    "header promises more": (
        in_place("observation", lambda d: gzip.compress(gzip.decompress(d)[:-7056])),
        "observation.*its header promises .* bytes more than it holds",
    ),
    "more than the header says": (
        in_place("observation", lambda d: gzip.compress(gzip.decompress(d) + b"\0")),
        "observation.*expected the file to end with its array, got more bytes",
    ),
    "a short array with more": (
        in_place("action", lambda d: gzip.compress(gzip.decompress(d) + b"\0")),
        "action.*expected the file to end with its array, got more bytes",
    ),
    "reward NaN": (
        changed("reward", with_value(7, np.nan)),
        "reward.*expected finite numbers, got nan in row 7",
    ),
    "terminal 2": (changed("terminal", with_value(9, 2)), "expected 0 or 1, got 2 in row 9"),
    "action of another game": (
        changed("action", with_value(-1, 4)),
        r"expected 0 to 3, Breakout's 4 actions \(another game's log\?\), got 4 in row 39",
    ),
    "action negative": (changed("action", with_value(0, -1)), "got -1 in row 0"),
    "add_count negative": (
        changed("add_count", lambda _: np.array(-1)),
        "add_count.*expected a count of rows between 0 and 8,000 .*, got -1",
    ),
    "add_count absurd": (changed("add_count", lambda _: np.array(10**12)), "got 1,000,000,000,000"),
    "add_count no integer": (
        changed("add_count", lambda _: np.array(3.5)),
        r"expected one integer, got float64 \(\)",
    ),
    "add_count an array": (
        changed("add_count", lambda _: np.array([1, 2])),
        r"expected one integer, got int64 \(2,\)",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_refused(log: pathlib.Path, name: str) -> None:
    """The error names checkpoint, file and cause, and what to do."""
    damage, message = DAMAGES[name]
    read_all(log)  # it was whole before
    damage(log)
    with pytest.raises(ReplayLogError, match=message) as error:
        read_all(log)
    assert str(error.value).startswith(f"Breakout run 1 checkpoint 1: {log}/")
    assert str(error.value).endswith("Delete it and copy it again from where it came.")


@pytest.mark.parametrize("position", range(-12, 0))
def test_any_flipped_byte_at_the_end_is_found(log: pathlib.Path, position: int) -> None:
    """Up to the last byte of the file."""
    in_place("observation", flip(position))(log)
    with pytest.raises(ReplayLogError, match=r"observation_ckpt\.1\.gz is damaged"):
        read_all(log)


def test_a_full_lap_is_checked_to_its_end_before_its_first_step(log: pathlib.Path) -> None:
    """In a dump at the end of a lap no frame is given before the checksum was compared."""
    in_place("observation", flip(-5))(log)
    checkpoint = open_log(log.parents[2], "Breakout", 1, 1)
    first = next(read_episodes(checkpoint))
    with pytest.raises(ReplayLogError, match="CRC"):
        next(first.frames)


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_named(log: pathlib.Path, name: str) -> None:
    """With what the system says of it; that does not say that the file is damaged."""
    change, message = UNREADABLE[name]
    change(log)
    with pytest.raises(ReplayLogError, match=message) as error:
        read_all(log)
    assert str(error.value).startswith(f"Breakout run 1 checkpoint 1: {log}/")


def test_a_file_of_somebody_elses_is_named(log: pathlib.Path) -> None:
    """As one that may not be read."""
    path_of(log, "terminal").chmod(0)
    with (
        unprivileged(log),
        pytest.raises(ReplayLogError, match=r"terminal_ckpt\.1\.gz cannot be read: Permission"),
    ):
        read_all(log)


@pytest.mark.parametrize("name", ["observation", "action", "add_count"])
@pytest.mark.parametrize("step", ["opened", "reading"])
def test_a_change_while_it_is_read_is_refused(log: pathlib.Path, name: str, step: str) -> None:
    """Though each file is whole: those of checkpoint 2 are copied over those of checkpoint 1."""
    checkpoint = open_log(log.parents[2], "Breakout", 1, 1)
    found = read_episodes(checkpoint)
    if step == "reading":
        next(next(found).frames)
    path = path_of(log, name)
    path.write_bytes(path.with_name(path.name.replace(".1.", ".2.")).read_bytes())
    with pytest.raises(ReplayLogError, match=rf"{name}_ckpt\.1\.gz was changed while it was read"):
        take_all(found)


@pytest.mark.parametrize("name", ["observation", "action", "reward", "terminal", "add_count"])
def test_a_missing_file_is_named(log: pathlib.Path, name: str) -> None:
    """And a checkpoint that lacks one is not passed over."""
    path_of(log, name).unlink()
    with pytest.raises(FileNotFoundError, match=f"checkpoint 1: no file for '{name}' in {log}"):
        find_checkpoint(log.parents[2], "Breakout", 1, 1).open()


def test_an_empty_first_checkpoint_is_refused(log: pathlib.Path) -> None:
    """A buffer that nothing was added to holds no steps."""
    write_gz(log / "add_count_ckpt.0.gz", np.array(0))
    with pytest.raises(ReplayLogError, match="expected at least one row"):
        open_log(log.parents[2], "Breakout", 1, 0)


def test_values_outside_the_data_are_not_checked(log: pathlib.Path) -> None:
    """In checkpoint 0 the row at the cursor is garbage and may hold anything."""
    path = log / "$store$_action_ckpt.0.gz"
    write_gz(path, with_value(-1, -(2**31))(read_gz(path)))
    open_log(log.parents[2], "Breakout", 1, 0)


def test_the_public_buckets_folder_is_found(log: pathlib.Path) -> None:
    """Gsutil copies gs://atari-replay-datasets/dqn/... with or without its dqn folder."""
    root = log.parents[2]
    (root / "dqn").mkdir()
    (root / "Breakout").rename(root / "dqn" / "Breakout")
    assert open_log(root, "Breakout", 1, 1).capacity == CAPACITY
