"""Replaces a dataset's folder by one that is complete, so that one of them is always there."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
import uuid

from etils import epath

from tfds_atari_replay import _tfds
from tfds_atari_replay.logs.paths import is_remote

# Beside a folder X: a whole one that is to take its place, or had it, and one being deleted.
_WHOLE = f"{_tfds.INCOMPLETE}whole."
_DELETED = f"{_tfds.INCOMPLETE}deleted."

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux: fcntl.h, fs.h


def new_beside(folder: epath.Path) -> epath.Path:
    """Returns a name beside a folder for its replacement, to be used once that is complete."""
    return _beside(folder, _WHOLE)


def replace(folder: epath.Path, replacement: epath.Path) -> None:
    """Puts a complete folder in the place of another, which is deleted.

    A process killed in the middle leaves the one or the other in that place. Where the file system
    cannot exchange two folders at once, it may leave both beside it; `restore` then takes one. Two
    processes must not do this at the same time.

    Args:
      folder: what is replaced.
      replacement: from `new_beside`.
    """
    if not folder.exists():
        replacement.rename(folder)
    elif not _exchange(folder, replacement):
        folder.rename(new_beside(folder))
        replacement.rename(folder)
    for path in _siblings(folder, _WHOLE):
        # Renamed first, so that nobody takes for whole what is being deleted.
        with contextlib.suppress(FileNotFoundError):
            path.rename(_beside(folder, _DELETED))
    for path in _siblings(folder, _DELETED):
        with contextlib.suppress(FileNotFoundError):  # another process deletes it too
            path.rmtree()


def restore(folder: epath.Path) -> None:
    """Brings back a folder whose replacement was interrupted between two renames."""
    if not folder.exists():
        for path in _siblings(folder, _WHOLE)[:1]:
            with contextlib.suppress(OSError):  # another process does, or this one may not
                path.rename(folder)


def _beside(folder: epath.Path, prefix: str) -> epath.Path:
    return folder.with_name(f"{prefix}{uuid.uuid4().hex}_{folder.name}")


def _siblings(folder: epath.Path, prefix: str) -> list[epath.Path]:
    try:
        names = sorted(path.name for path in folder.parent.iterdir())
    except OSError:
        return []
    return [
        folder.with_name(name)
        for name in names
        if name.startswith(prefix) and name.endswith(f"_{folder.name}")
    ]


def _exchange(one: epath.Path, other: epath.Path) -> bool:
    """Lets two folders change places at once, if the system can; returns whether it did."""
    if sys.platform != "linux" or is_remote(one):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # an old C library
        return False
    names = os.fsencode(one), os.fsencode(other)
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # such as NFS
        return False
    raise OSError(code, os.strerror(code), os.fspath(one), None, os.fspath(other))
