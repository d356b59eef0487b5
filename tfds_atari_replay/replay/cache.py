"""Packed episodes on disk, beside the dataset they were read from or in a `cache_dir`.

A folder holds an .npy file for each array of `Packed`, and `meta.json`, which says what they were
packed from and has their checksums. The folder gets its name when it is complete.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import logging
import mmap
import pathlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from isal import isal_zlib

from tfds_atari_replay import locking
from tfds_atari_replay.prepared.reading import StoredEpisode
from tfds_atari_replay.replay.packed import META, STORED, Packed, map_folder
from tfds_atari_replay.replay.packing import pack

_FORMAT = 5

_logger = logging.getLogger(__name__)


class _UnusableError(Exception):
    """What is in the folder cannot be used."""


def open_or_pack(
    folder: pathlib.Path,
    shards: Sequence[pathlib.Path],
    episodes: Callable[[], Iterable[StoredEpisode]],
    *,
    may_be_temporary: bool = True,
) -> Packed:
    """Opens the episodes packed in a folder; packs them first if there is nothing usable.

    Processes that need the same folder wait for the one that packs.

    Args:
      folder: an absolute path.
      shards: the files of the dataset.
      episodes: reads them.
      may_be_temporary: whether to pack into a temporary folder, which only this process can use,
        if `folder` cannot be written.

    Raises:
      OSError: the folder cannot be written.
      Exception: whatever reading the dataset raises.
    """
    try:
        return _open(folder, shards)
    except _UnusableError as error:
        if folder.exists():
            _logger.warning("%s: %s. Packing again.", folder, error)
        reason = error
    with locking.lock(folder.with_name(f"{folder.name}.lock")):
        try:
            return _open(folder, shards)  # another process may have packed it meanwhile
        except _UnusableError:
            pass
        try:
            _pack(folder, shards, episodes)
            return _open(folder, shards)
        except OSError as error:
            if not may_be_temporary or error.errno not in locking.UNWRITABLE:
                raise
    _warn_unwritable(folder, str(reason))
    with tempfile.TemporaryDirectory() as top:
        temporary = pathlib.Path(top) / folder.name
        _pack(temporary, shards, episodes)
        # A mapped file can be read after its name is gone.
        return dataclasses.replace(_open(temporary, shards), folder=None)


@functools.cache
def _warn_unwritable(folder: pathlib.Path, reason: str) -> None:
    _logger.warning(
        "%s: %s. That folder cannot be written, so each process packs the frames for itself. Give "
        "load_replay a writable cache_dir, or load the dataset once where its folder can be "
        "written: packed files can be copied with it.",
        folder,
        reason,
    )


def _pack(
    folder: pathlib.Path,
    shards: Sequence[pathlib.Path],
    episodes: Callable[[], Iterable[StoredEpisode]],
) -> None:
    """Packs into a folder that gets its name when it is complete. Only call it with the lock."""
    _remove_leftovers(folder)
    work = _incomplete(folder)
    work.mkdir(parents=True)
    try:
        dataset = [[path.name, path.stat().st_mtime_ns, *_describe(path)] for path in shards]
        pack(episodes, work)
        files = {name: _describe(work / f"{name}.npy") for name in STORED}
        meta = {"format": _FORMAT, "dataset": dataset, "files": files}
        (work / META).write_text(json.dumps(meta))
        if folder.exists():
            folder.rename(_incomplete(folder))
        work.rename(folder)
    finally:
        _remove_leftovers(folder)


def _incomplete(folder: pathlib.Path) -> pathlib.Path:
    return folder.with_name(f"incomplete.{uuid.uuid4().hex}.{folder.name}")


def _remove_leftovers(folder: pathlib.Path) -> None:
    for leftover in folder.parent.glob(f"incomplete.*.{folder.name}"):
        shutil.rmtree(leftover, ignore_errors=True)


def _open(folder: pathlib.Path, shards: Sequence[pathlib.Path]) -> Packed:
    """Maps the files in a folder, after comparing them with what `meta.json` says.

    Raises:
      _UnusableError: they are missing, cut short, damaged, foreign, or of another dataset.
    """
    try:
        text = (folder / META).read_text()
        meta = json.loads(text)
        if meta["format"] != _FORMAT:
            raise _UnusableError(f"expected format {_FORMAT}, got {meta['format']}")
        if _compare(meta["dataset"], shards):
            text = _note_times(folder, meta, shards)
        for name in STORED:
            if _describe(folder / f"{name}.npy") != meta["files"][name]:
                raise _UnusableError(f"{name}.npy is damaged")
        return map_folder(folder, text)
    except FileNotFoundError as error:
        raise _UnusableError("not packed yet") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _UnusableError(f"unreadable: {error}") from error


def _compare(recorded: list[list[Any]], shards: Sequence[pathlib.Path]) -> bool:
    """Compares a dataset with the one that was packed.

    A file of the same size and time of change is taken to be the same. Copies have other times, so
    their content is compared.

    Returns:
      Whether it is a copy.

    Raises:
      _UnusableError: it is a different one.
    """
    is_copy = False
    names = [path.name for path in shards]
    if [name for name, *_ in recorded] != names:
        raise _UnusableError("it was packed from a dataset with other files")
    for path, (_, time, size, checksum) in zip(shards, recorded, strict=True):
        stat = path.stat()
        if (stat.st_mtime_ns, stat.st_size) != (time, size):
            is_copy = True
            if _describe(path) != [size, checksum]:
                raise _UnusableError(f"the dataset has changed since: {path.name} is different")
    return is_copy


def _note_times(folder: pathlib.Path, meta: Any, shards: Sequence[pathlib.Path]) -> str:
    """Notes the times of a copy, if it can be written, so that it is compared only once."""
    for path, row in zip(shards, meta["dataset"], strict=True):
        row[1] = path.stat().st_mtime_ns
    text = json.dumps(meta)
    with contextlib.suppress(OSError):
        part = _incomplete(folder / META)
        part.write_text(text)
        part.replace(folder / META)
    return text


def _describe(path: pathlib.Path) -> list[int]:
    """Returns a file's size and checksum."""
    if not path.stat().st_size:  # such as a shard without episodes
        return [0, 0]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return [len(data), isal_zlib.crc32(data)]
