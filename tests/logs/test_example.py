"""TFRecords of `tf.train.Example` are read without TensorFlow as TensorFlow writes them."""

import io
import pathlib
import tracemalloc

import pytest
import tensorflow as tf
from helpers.unplugged import masked_checksum

from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.example import parse_example, read_records

RECORDS = [b"first", b"", b"third" * 1000]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A TFRecord file, by TensorFlow."""
    path: pathlib.Path = tmp_path_factory.mktemp("records") / "records"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    return path.read_bytes()


def read(data: bytes) -> list[bytes]:
    return list(read_records(io.BytesIO(data), len(data)))


def test_records_are_those_that_tensorflow_wrote(written: bytes) -> None:
    assert read(written) == RECORDS
    assert read(b"") == []


def test_no_cut_file_is_read_to_its_end(written: bytes) -> None:
    ends = [0]
    for record in RECORDS:
        ends.append(ends[-1] + 16 + len(record))
    for cut in {*range(60), *range(len(written) - 20, len(written))} - set(ends):
        with pytest.raises(DamageError, match=r"[1-9][0-9,]* bytes are missing at its end"):
            read(written[:cut])


@pytest.mark.parametrize("position", [0, 8, 11, 12, 16, 17, 20])
def test_no_flipped_bit_goes_unnoticed(written: bytes, position: int) -> None:
    """In the length, its checksum, the data, and their checksum."""
    changed = bytearray(written)
    changed[position] ^= 1
    with pytest.raises(DamageError, match="expected a TFRecord file; a record's checksum differs"):
        read(bytes(changed))


@pytest.mark.parametrize("length", [2**26 + 1, 2**28 + 1, 2**31, 2**62])
def test_a_record_longer_than_its_file_is_refused(length: int) -> None:
    """Unless it is small enough to do no harm: see the next test."""
    with pytest.raises(
        DamageError, match=rf"records of at most 67,108,864 bytes, got one of {length:,} bytes"
    ):
        read(length.to_bytes(8, "little") + b"\0" * 50)


def test_memory_grows_with_the_data_instead_of_the_length() -> None:
    length = (2**26).to_bytes(8, "little")
    tracemalloc.start()
    with pytest.raises(DamageError, match="67,108,814 bytes are missing at its end"):
        read(length + masked_checksum(length) + b"\0" * 50)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_every_value_is_tensorflows() -> None:
    values = {
        "bytes": (tf.train.BytesList, "bytes_list", [b"", b"\0\xff", b"png"]),
        "integers": (tf.train.Int64List, "int64_list", [-(2**63), 0, 2**63 - 1]),
        "floats": (tf.train.FloatList, "float_list", [-0.5, 0, float("inf")]),
        "nothing": (tf.train.FloatList, "float_list", []),
    }
    features = {
        name: tf.train.Feature(**{kind: make(value=value)})
        for name, (make, kind, value) in values.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    parsed = parse_example(example.SerializeToString())
    assert set(parsed) == set(values)
    for name, (_, kind, value) in values.items():
        assert list(getattr(parsed[name], kind).value) == value
    assert not parsed["missing"].int64_list.value


@pytest.mark.parametrize("record", [b"\x00", b"\x0a\x05abc", b"no example"])
def test_other_bytes_are_damage(record: bytes) -> None:
    with pytest.raises(DamageError, match=r"expected a tf\.train\.Example"):
        parse_example(record)
