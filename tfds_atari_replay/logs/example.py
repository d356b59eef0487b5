"""TFRecords of `tf.train.Example`, read without TensorFlow.

The message is public and frozen (tensorflow/core/example/{example,feature}.proto); it is declared
here once more, in a descriptor pool of its own, so that it never meets TensorFlow's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any

import google_crc32c
from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.npy import read_exactly

# A record is its length (uint64), the checksum of that (uint32), the data, and the checksum of the
# data (uint32).
_LENGTH_BYTES, _CHECKSUM_BYTES = 8, 4
# An episode has at most 27,001 frames, and a PNG of one is hardly longer than the frame: that makes
# 2**28 bytes. But PNGs are packed already, so a record longer than its whole file is a bomb, unless
# it is small enough to do no harm (parsing takes up to 17 times its bytes).
_MAX_RECORD, _MAX_UNPACKED = 2**28, 2**26

_PACKAGE = "tensorflow"
_Field = descriptor_pb2.FieldDescriptorProto


def _declare() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, kind in (
        ("BytesList", _Field.TYPE_BYTES),
        ("FloatList", _Field.TYPE_FLOAT),
        ("Int64List", _Field.TYPE_INT64),
    ):
        values = file.message_type.add(name=name)
        values.field.add(name="value", number=1, type=kind, label=_Field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("bytes_list", "float_list", "int64_list"), 1):
        type_name = f".{_PACKAGE}.{name.title().replace('_', '')}"
        _add_message(feature, name, number, type_name, oneof_index=0)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
    _add_message(entry, "value", 2, f".{_PACKAGE}.Feature")
    _add_message(
        features, "feature", 1, f".{_PACKAGE}.Features.FeatureEntry", label=_Field.LABEL_REPEATED
    )
    _add_message(file.message_type.add(name="Example"), "features", 1, f".{_PACKAGE}.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Example"))


def _add_message(parent: Any, name: str, number: int, type_name: str, **options: Any) -> None:
    parent.field.add(
        **{
            "name": name,
            "number": number,
            "type": _Field.TYPE_MESSAGE,
            "type_name": type_name,
            "label": _Field.LABEL_OPTIONAL,
            **options,
        }
    )


_Example = _declare()


def parse_example(record: bytes) -> Mapping[str, Any]:
    """Parses a serialized Example.

    Returns:
      Its features by name, each with `bytes_list`, `float_list` and `int64_list`. A feature that is
      missing is empty.

    Raises:
      DamageError: the bytes are no Example.
    """
    try:
        features: Mapping[str, Any] = _Example.FromString(record).features.feature
    except message.DecodeError as error:
        raise DamageError(f"expected a tf.train.Example in each record: {error}") from error
    return features


def read_records(stream: IO[bytes], size: int) -> Iterator[bytes]:
    """Yields the records of a TFRecord file, and compares their checksums.

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


def _compare_checksum(data: bytes, stored: bytes) -> None:
    # CRC-32C, rotated and offset (tensorflow/tsl, lib/hash/crc32c.h).
    crc = google_crc32c.value(data)
    masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32
    if int.from_bytes(stored, "little") != masked:
        raise DamageError("expected a TFRecord file; a record's checksum differs")
