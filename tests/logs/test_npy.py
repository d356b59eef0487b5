"""Gzipped .npy files that are damaged, cut short, or promise too much are refused."""

import gzip
import os
import pathlib
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from helpers.damage import assert_refused, changed, flip, in_place, path_of
from helpers.logs import write_gz


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
    "Fortran order": (
        changed("observation", np.asfortranarray),
        "expected rows in C order, got Fortran order",
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
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_refused(log: pathlib.Path, name: str) -> None:
    assert_refused(log, *DAMAGES[name])
