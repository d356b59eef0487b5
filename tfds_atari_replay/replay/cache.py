"""Packed episodes on disk, beside the dataset they were read from.

A folder holds an .npy file for each array of `Packed`, and `meta.json`, which says what they were
packed from and has their checksums. The folder gets its name when it is complete.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import mmap
import pathlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import filelock
from isal import isal_zlib

from tfds_atari_replay.replay.packed import META, STORED, Packed, map_folder
from tfds_atari_replay.replay.packing import StoredEpisode, pack

_FORMAT = 1

Stamp: TypeAlias = list[list[Any]]
"""The files of a dataset: name, size and time of the last change."""

_logger = logging.getLogger(__name__)


class _UnusableError(Exception):
    """What is in the folder cannot be used."""


def stamp_of(paths: Iterable[pathlib.Path]) -> Stamp:
    """Returns what distinguishes a dataset's files from those of another build."""
    stats = [(path.name, path.stat()) for path in paths]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]


def open_or_pack(
    folder: pathlib.Path, stamp: Stamp, episodes: Callable[[], Iterable[StoredEpisode]]
) -> Packed:
    """Opens the episodes packed in a folder; packs them first if there is nothing usable.

    Processes that need the same folder wait for the one that packs. If the folder cannot be
    written, episodes are packed into a temporary one, which only this process can use.

    Args:
      folder: beside the dataset.
      stamp: of the dataset.
      episodes: reads the dataset.
    """
    try:
        return _open(folder, stamp)
    except _UnusableError as error:
        _logger.info("%s: %s. Packing.", folder, error)
    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire()
    except OSError as error:
        _warn_unwritable(folder, error.strerror or str(error))
        with tempfile.TemporaryDirectory() as top:
            temporary = pathlib.Path(top) / folder.name
            _pack(temporary, stamp, episodes)
            # A mapped file can be read after its name is gone.
            return dataclasses.replace(_open(temporary, stamp), folders=())
    with lock:
        try:
            return _open(folder, stamp)  # another process may have packed it meanwhile
        except _UnusableError:
            _pack(folder, stamp, episodes)
    return _open(folder, stamp)


@functools.cache
def _warn_unwritable(folder: pathlib.Path, reason: str) -> None:
    _logger.warning(
        "%s cannot be written (%s), so each process packs the frames anew. Make it writable, or "
        "copy the dataset to a folder that is.",
        folder,
        reason,
    )


def _pack(
    folder: pathlib.Path, stamp: Stamp, episodes: Callable[[], Iterable[StoredEpisode]]
) -> None:
    """Packs into a folder that gets its name when it is complete. Only call it with the lock."""
    _remove_leftovers(folder)
    work = _incomplete(folder)
    work.mkdir()
    try:
        pack(episodes, work)
        files = {name: _describe(work / f"{name}.npy") for name in STORED}
        meta = {"format": _FORMAT, "dataset": stamp, "files": files}
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


def _open(folder: pathlib.Path, stamp: Stamp) -> Packed:
    """Maps the files in a folder, after comparing them with what `meta.json` says.

    Raises:
      _UnusableError: they are missing, cut short, damaged, foreign, or of another dataset.
    """
    try:
        text = (folder / META).read_text()
        meta = json.loads(text)
        if meta["format"] != _FORMAT:
            raise _UnusableError(f"expected format {_FORMAT}, got {meta['format']}")
        if meta["dataset"] != stamp:
            raise _UnusableError("the dataset has changed")
        for name in STORED:
            if _describe(folder / f"{name}.npy") != meta["files"][name]:
                raise _UnusableError(f"{name}.npy is damaged")
        return map_folder(folder, text)
    except FileNotFoundError as error:
        raise _UnusableError("not packed yet") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _UnusableError(f"unreadable: {error}") from error


def _describe(path: pathlib.Path) -> list[int]:
    """Returns a file's size and checksum."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
        return [len(data), isal_zlib.crc32(data)]
