"""Reads what a prepared dataset stores, without TensorFlow."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from etils import epath, epy

from tfds_atari_replay import fields
from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.example import parse_example, read_records

with epy.lazy_imports():
    from array_record.python import array_record_module

# An episode is a few hundred KB.
_RECORDS_AT_ONCE = 16

_PACKED = tuple(field.name for field in fields.STEP if field.packed_dtype) + fields.FLAGS


class StoredEpisode(NamedTuple):
    """An episode as a dataset stores it.

    Attributes:
      values: the fields of `fields.EPISODE` by name; NaN for one that the dataset lacks.
      columns: the stored scalar fields of its steps by name, those that the dataset has.
      frames: the stored blocks.
      shard: number of the shard that it was read from.
      record: its index there.
    """

    values: dict[str, Any]
    columns: dict[str, bytes]
    frames: list[bytes]
    shard: int
    record: int


def read_shard(builder: Any, number: int) -> Iterator[StoredEpisode]:
    """Yields the episodes of a shard of a prepared dataset; see `read_file`.

    Args:
      builder: TFDS's.
      number: of the shard.
    """
    info = builder.info
    path = epath.Path(info.splits["train"].filepaths[number])
    return read_file(path, number, info.file_format.value, info.features)


def read_file(
    path: epath.Path, number: int, file_format: str, features: Any
) -> Iterator[StoredEpisode]:
    """Yields the episodes of a file.

    Args:
      path: of the file.
      number: of the shard.
      file_format: TFDS's name for it, one of `FORMATS`.
      features: the dataset's.

    Raises:
      DamageError: it holds something else. Checksums of all records are compared.
      OSError: it cannot be read.
    """
    step_fields = [name for name in _PACKED if name in features["steps"].feature]
    for index, record in enumerate(FORMATS[file_format](path)):
        stored = parse_example(record)

        def values(name: str, kind: str, stored: Any = stored) -> Any:
            found = getattr(stored[name], kind).value
            if not found:
                raise DamageError(f"{path}: an episode has no {name}")
            return found

        yield StoredEpisode(
            values={
                field.name: np.dtype(field.dtype).type(values(field.name, _kind(field))[0]).item()
                if field.name in features
                else math.nan
                for field in fields.EPISODE
            },
            columns={name: values(f"steps/{name}", "bytes_list")[0] for name in step_fields},
            frames=list(values("steps/observation", "bytes_list")),
            shard=number,
            record=index,
        )


def _kind(field: fields.Field) -> str:
    """Returns the list of a tf.train.Feature that holds a field."""
    return "float_list" if np.issubdtype(field.dtype, np.floating) else "int64_list"


def _read_tfrecord(path: epath.Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        yield from read_records(stream, size)


def _read_array_record(path: epath.Path) -> Iterator[bytes]:
    path.stat()  # array_record aborts the process if there is no such file
    reader = array_record_module.ArrayRecordReader(str(path))
    try:
        count = reader.num_records()
        for start in range(0, count, _RECORDS_AT_ONCE):
            yield from reader.read(start, min(start + _RECORDS_AT_ONCE, count))
    finally:
        reader.close()


FORMATS: dict[str, Callable[[epath.Path], Iterator[bytes]]] = {
    "tfrecord": _read_tfrecord,
    "array_record": _read_array_record,
}
"""TFDS's formats that can be read here."""
