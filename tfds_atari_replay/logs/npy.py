"""Reads gzipped .npy files without trusting their headers.

Memory is never allocated on the word of a header alone, and files are read to their end, where gzip
compares its checksum.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import stat
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from etils import epath
from isal import igzip

from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.paths import is_remote

# Larger pieces evict other threads' data from the processor's cache; after each of smaller ones, a
# thread waits for Python's lock.
_READ_AT_ONCE = 2**20
# NumPy's own limit on the length of a header.
_MAX_HEADER = 10_000
# Deflate packs at best 258 bytes into 2 bits (zlib, "Technical Details"), so a gzip file cannot
# hold more than this many times its size.
_MAX_RATIO = 1032


@contextlib.contextmanager
def open_gzip(path: epath.Path) -> Iterator[tuple[IO[bytes], int]]:
    """Opens a gzip file for reading. ISA-L unpacks 4 times as fast as zlib.

    Yields:
      The stream, and the size of the packed file in bytes.

    Raises:
      DamageError: it is not a regular file but, for example, a pipe, which may never end.
    """
    if not is_remote(path):
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # Opening a folder raises by itself.
            raise DamageError("expected a file, got a pipe, a socket or a device")
    with path.open("rb") as file:
        # Of the open file, since its name may belong to a different one by now.
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        with igzip.open(file) as stream:  # type: ignore[no-untyped-call]
            yield stream, size


@contextlib.contextmanager
def open_npy(path: epath.Path) -> Iterator[tuple[IO[bytes], np.dtype[Any], tuple[int, ...]]]:
    """Opens a gzipped .npy, positioned at its data.

    Yields:
      The stream, the dtype and the shape, which the file is large enough to hold.

    Raises:
      DamageError: it is not a .npy of numbers in C order, or promises more than it can hold.
    """
    with open_gzip(path) as (stream, size):
        shape, dtype = _read_header(stream)
        promised, most = dtype.itemsize * math.prod(shape), _MAX_RATIO * size
        if promised > most:
            raise DamageError(
                f"its header promises {promised:,} bytes, but a gzip file of its size holds at "
                f"most {most:,}"
            )
        yield stream, dtype, shape


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    magic = stream.read(8)
    readers = {
        b"\x93NUMPY\x01\x00": (2, np.lib.format.read_array_header_1_0),
        b"\x93NUMPY\x02\x00": (4, np.lib.format.read_array_header_2_0),
    }
    if magic not in readers:
        raise DamageError(f"expected a .npy array of version 1 or 2, it begins {magic!r}")
    width, read = readers[magic]
    length = read_exactly(stream, width)
    size = int.from_bytes(length, "little")
    if size > _MAX_HEADER:
        raise DamageError(
            f"its .npy header is {size:,} bytes long, expected {_MAX_HEADER:,} at most"
        )
    header = io.BytesIO(length + read_exactly(stream, size))
    try:
        shape, is_fortran, dtype = read(header)
    except Exception as error:  # NumPy's parser raises a dozen types.
        raise DamageError(f"its .npy header cannot be read: {error}") from error
    if dtype.hasobject:
        raise DamageError("expected numbers, got pickled objects, which are never loaded")
    if is_fortran and len(shape) > 1:
        raise DamageError("expected rows in C order, got Fortran order")
    if any(size < 0 for size in shape):
        raise DamageError(f"expected a shape of positive numbers, got {shape}")
    return shape, dtype


def read_exactly(stream: IO[bytes], size: int) -> bytes:
    """Reads exactly `size` bytes. Memory grows with the data in the stream, not with `size`.

    Raises:
      DamageError: the stream ends early.
    """
    data = bytearray()
    while len(data) < size:
        piece = stream.read(min(size - len(data), _READ_AT_ONCE))
        if not piece:
            raise DamageError(f"{size - len(data):,} bytes are missing at its end")
        data += piece
    return bytes(data)


def read_into(stream: IO[bytes], view: memoryview) -> None:
    """Fills a buffer from a stream.

    Raises:
      DamageError: the stream ends early.
    """
    done = 0
    while done < len(view):
        # In pieces, since igzip reads into bytes of this size before it copies them.
        piece = view[done : done + _READ_AT_ONCE]
        got = stream.readinto(piece)  # type: ignore[attr-defined]
        if not got:
            raise DamageError(f"its header promises {len(view) - done:,} bytes more than it holds")
        done += got


def expect_end(stream: IO[bytes]) -> None:
    """Reads past the end of the data, which makes gzip compare its checksum.

    Raises:
      DamageError: more data follows.
    """
    if stream.read(1):
        raise DamageError("expected the file to end with its array, got more bytes")
