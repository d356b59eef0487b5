"""TFRecords of `tf.train.Example`, read and written without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import google_crc32c
from google.protobuf import message

from tfds_atari_replay._tfds import Example
from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.npy import read_exactly

# A record is its length (uint64), the length's checksum (uint32), the data, and the data's checksum
# (uint32).
_LENGTH_BYTES, _CHECKSUM_BYTES = 8, 4
# An episode has at most 27,001 frames, and a frame's PNG is hardly longer than the frame: 2**28
# bytes in all. PNGs do not compress further, so a record longer than its file is a bomb, unless it
# is small enough to do no harm (parsing takes up to 17 times its size).
_MAX_RECORD, _MAX_UNPACKED = 2**28, 2**26


def parse_example(record: bytes) -> Mapping[str, Any]:
    """Parses a serialized Example.

    Returns:
      Its features by name, each with `bytes_list`, `float_list` and `int64_list`. Missing features
      are empty.

    Raises:
      DamageError: the bytes are not an Example.
    """
    try:
        features: Mapping[str, Any] = Example.FromString(record).features.feature
    except message.DecodeError as error:
        raise DamageError(f"expected a tf.train.Example in each record: {error}") from error
    return features


def read_records(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Yields the records of a TFRecord file, after comparing their checksums.

    Args:
      stream: the records, unpacked.
      size: of the packed file, in bytes.

    Raises:
      DamageError: it is not a TFRecord file, is cut short, or is damaged.
    """
    longest = min(max(size, _MAX_UNPACKED), _MAX_RECORD)
    while start := stream.read(1):
        length_bytes = start + read_exactly(stream, _LENGTH_BYTES - 1)
        length = int.from_bytes(length_bytes, "little")
        if length > longest:
            raise DamageError(
                f"expected a TFRecord file with records of at most {longest:,} bytes, got one of "
                f"{length:,} bytes"
            )
        _compare_checksum(length_bytes, read_exactly(stream, _CHECKSUM_BYTES))
        data = read_exactly(stream, length)
        _compare_checksum(data, read_exactly(stream, _CHECKSUM_BYTES))
        yield data


def write_records(stream: IO[bytes], records: Iterable[bytes]) -> None:
    """Writes a TFRecord file, byte for byte as TensorFlow does."""
    for record in records:
        length = len(record).to_bytes(_LENGTH_BYTES, "little")
        stream.write(length + _checksum(length))
        stream.write(record)
        stream.write(_checksum(record))


def _compare_checksum(data: bytes, stored: bytes) -> None:
    if stored != _checksum(data):
        raise DamageError("expected a TFRecord file; a record's checksum differs")


def _checksum(data: bytes) -> bytes:
    """Returns the CRC-32C, rotated and offset (tensorflow/tsl, lib/hash/crc32c.h)."""
    crc: int = google_crc32c.value(data)
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32
    return masked.to_bytes(_CHECKSUM_BYTES, "little")
