"""Files are the same, byte for byte, as TensorFlow writes them."""

import pathlib

import tensorflow as tf
import tensorflow_datasets as tfds

from tfds_atari_replay.building.writing import ExampleWriter


def test_records_are_tensorflows(tmp_path: pathlib.Path) -> None:
    """They may be empty, short, or longer than any buffer."""
    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={"a": tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))}
            )
        ).SerializeToString()
        for value in (b"", b"abc", bytes(range(256)) * 4096)
    ]
    records = [b"", *examples]
    with tf.io.TFRecordWriter(str(tmp_path / "expected")) as writer:
        for record in records:
            writer.write(record)
    ExampleWriter(tfds.core.FileFormat.TFRECORD).write(
        tmp_path / "written", list(enumerate(records))
    )
    assert (tmp_path / "written").read_bytes() == (tmp_path / "expected").read_bytes()


def test_the_same_example_gives_the_same_bytes(tmp_path: pathlib.Path) -> None:
    """The order of its features does not matter, and TFDS reads it as before."""
    features = tf.train.Features(
        feature={
            name: tf.train.Feature(int64_list=tf.train.Int64List(value=[len(name)]))
            for name in ("b", "a", "ccc")
        }
    )
    record = tf.train.Example(features=features).SerializeToString()
    entries = sorted(b"\n" + bytes([len(e)]) + e for e in _entries(record))
    written = []
    for number, order in enumerate((entries, entries[::-1])):
        body = b"".join(order)
        shuffled = b"\n" + bytes([len(body)]) + body
        path = tmp_path / str(number)
        ExampleWriter(tfds.core.FileFormat.TFRECORD).write(path, [("key", shuffled)])
        (got,) = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        assert tf.train.Example.FromString(got).features == features
        written.append(path.read_bytes())
    assert written[0] == written[1]


def _entries(record: bytes) -> list[bytes]:
    """Returns the entries of an example's map, each a name and a feature; all are short."""
    rest, found = record[2:], []
    while rest:
        found.append(rest[2 : 2 + rest[1]])
        rest = rest[2 + rest[1] :]
    return found
