"""Writes the files of a dataset, without TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any, cast

import tensorflow_datasets as tfds
from etils import epath

from tfds_atari_replay import _tfds
from tfds_atari_replay.logs.example import write_records


class ExampleWriter(_tfds.ExampleWriter):
    """TFDS's writer, but equal examples give equal bytes, and TFRecords need no TensorFlow.

    TFDS serializes an example's features in an order that differs from process to process, and
    imports TensorFlow, which takes seconds and 0.8 GB, for nothing but to write its TFRecords.
    """

    def write(self, path: epath.PathLike, examples: Iterable[tuple[Any, bytes]]) -> Any:
        ordered = ((key, _in_order(record)) for key, record in examples)
        if self.file_format is not tfds.core.FileFormat.TFRECORD:
            return super().write(path, ordered)
        with epath.Path(path).open("wb") as stream:
            write_records(cast(IO[bytes], stream), (record for _, record in ordered))
        return None

    def encode_and_write(
        self, path: epath.PathLike, features: Any, examples: Iterable[tuple[Any, Any]]
    ) -> None:
        """Writes one file; takes the examples one at a time."""
        serializer = _tfds.ExampleSerializer(features.get_serialized_info())
        self.write(
            path,
            (
                (key, serializer.serialize_example(features.encode_example(example)))
                for key, example in examples
            ),
        )


def _in_order(record: bytes) -> bytes:
    ordered: bytes = _tfds.Example.FromString(record).SerializeToString(deterministic=True)
    return ordered
