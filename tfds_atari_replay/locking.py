"""A lock between processes that write, on one machine."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator

from etils import epath

from tfds_atari_replay.logs.paths import is_remote

UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
"""The errors (errno) of a folder that cannot be written."""

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def lock(path: epath.PathLike) -> Iterator[None]:
    """Holds a lock where the file system allows one.

    The lock only saves work: files get their names once they are complete, so without it two
    processes may do the same work, but do no harm. If the folder is read-only, the file system has
    no locks, or the files are on a server, this continues without a lock.

    Args:
      path: the lock's file. It is not deleted, since others may be waiting for it.
    """
    with contextlib.ExitStack() as stack:
        if not is_remote(path):
            import filelock  # on first use: it takes 30 ms, and reading needs no lock

            try:
                epath.Path(path).parent.mkdir(parents=True, exist_ok=True)
                if os.path.exists(path):
                    os.close(os.open(path, os.O_RDWR))  # Without permission, filelock would wait.
                stack.enter_context(filelock.FileLock(path))
            except (OSError, NotImplementedError) as error:
                _logger.info("Going on without the lock %s: %s", path, error)
        yield
