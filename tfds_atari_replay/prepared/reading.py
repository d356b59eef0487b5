"""Reads what a prepared dataset stores, without TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from etils import epath, epy

from tfds_atari_replay import fields
from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.example import parse_example, read_records

with epy.lazy_imports():
    from array_record.python import array_record_module

# An episode is a few hundred KB.
_RECORDS_AT_ONCE = 16


class StoredEpisode(NamedTuple):
    """An episode as a dataset stores it.

    Attributes:
      episode_id: its order in time.
      checkpoint_id: number of the checkpoint.
      episode_return: sum of the clipped rewards.
      is_complete: whether it goes from a reset to a terminal.
      columns: the stored scalar fields of its steps.
      frames: the stored blocks.
      shard: number of the shard that it was read from.
      record: its index there.
    """

    episode_id: int
    checkpoint_id: int
    episode_return: float
    is_complete: bool
    columns: dict[str, bytes]
    frames: list[bytes]
    shard: int
    record: int


def read_shard(path: epath.Path, number: int, file_format: str) -> Iterator[StoredEpisode]:
    """Yields the episodes of a shard.

    Args:
      path: of the file.
      number: of the shard.
      file_format: TFDS's name for it, one of `FORMATS`.

    Raises:
      DamageError: it holds something else. Checksums of all records are compared.
      OSError: it cannot be read.
    """
    for index, record in enumerate(FORMATS[file_format](path)):
        features = parse_example(record)

        def values(name: str, kind: str, features: Any = features) -> Any:
            found = getattr(features[name], kind).value
            if not found:
                raise DamageError(f"{path}: an episode has no {name}")
            return found

        yield StoredEpisode(
            episode_id=values("episode_id", "int64_list")[0],
            checkpoint_id=values("checkpoint_id", "int64_list")[0],
            episode_return=values("episode_return", "float_list")[0],
            is_complete=bool(values("is_complete", "int64_list")[0]),
            columns={name: values(f"steps/{name}", "bytes_list")[0] for name in fields.NEEDED},
            frames=list(values("steps/observation", "bytes_list")),
            shard=number,
            record=index,
        )


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
