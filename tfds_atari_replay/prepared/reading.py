"""Reads what a prepared dataset stores, without TensorFlow."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from etils import epath, epy

from tfds_atari_replay import blocks, fields, schema
from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.example import parse_example, read_records

with epy.lazy_imports():
    from array_record.python import array_record_module

# An episode is a few hundred KB.
_RECORDS_AT_ONCE = 16

_READ = tuple(field.name for field in fields.STEP if field.packed_dtype) + fields.FLAGS

FIELDS = schema.features()["steps"].feature.get_tensor_info()
"""Shape and dtype of each field of a step."""

_EPISODE = [(field.name, field.dtype) for field in fields.EPISODE]

EPISODE = np.dtype([*_EPISODE[:2], ("length", np.int64), *_EPISODE[2:]])
"""An episode as a dataset describes it; `length` counts its logged steps."""


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

    def unpack_columns(self) -> dict[str, npt.NDArray[Any]]:
        """Unpacks the scalar fields of its steps, terminal state included: (steps,) each.

        A field that an older dataset lacks is NaN throughout.

        Raises:
          ValueError: they differ in length, or are empty.
        """
        columns = {
            name: blocks.unpack_column_np(column, FIELDS[name])
            for name, column in self.columns.items()
        }
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) != 1 or not lengths["action"]:
            raise ValueError(
                f"episode {self.values['episode_id']}: expected fields of one length, at least 1, "
                f"got {lengths}"
            )
        unknown = np.full(lengths["action"], np.nan, np.float32)
        return {**dict.fromkeys(_READ, unknown), **columns}

    def describe(self, columns: dict[str, npt.NDArray[Any]]) -> tuple[Any, ...]:
        """Returns a row of `EPISODE`, given the unpacked columns."""
        length = len(columns["action"]) - int(columns["is_terminal"][-1])
        values = {**self.values, "length": length}
        return tuple(values[name] for name in EPISODE.names or ())


def read_shard(builder: Any, number: int) -> Iterator[StoredEpisode]:
    """Yields the episodes of a shard of a prepared dataset; see `read_file`.

    Args:
      builder: of the dataset.
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
      DamageError: it is damaged, or holds something else. Every record's checksum is compared.
      OSError: it cannot be read.
    """
    step_fields = [name for name in _READ if name in features["steps"].feature]

    def values(stored: Mapping[str, Any], name: str, kind: str) -> Any:
        found = getattr(stored[name], kind).value
        if not found:
            raise DamageError(f"{path}: an episode has no {name}")
        return found

    for index, record in enumerate(FORMATS[file_format](path)):
        stored = parse_example(record)
        yield StoredEpisode(
            values={
                field.name: field.dtype(values(stored, field.name, _kind(field))[0]).item()
                if field.name in features
                else math.nan
                for field in fields.EPISODE
            },
            columns={
                name: values(stored, f"steps/{name}", "bytes_list")[0] for name in step_fields
            },
            frames=list(values(stored, "steps/observation", "bytes_list")),
            shard=number,
            record=index,
        )


def _kind(field: fields.Field) -> str:
    """Returns which list of a tf.train.Feature holds a field."""
    return "float_list" if np.issubdtype(field.dtype, np.floating) else "int64_list"


def _read_tfrecord(path: epath.Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        yield from read_records(cast(IO[bytes], stream), size)


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
