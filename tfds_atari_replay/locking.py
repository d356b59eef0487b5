"""A lock among the processes of one machine, for those that write."""

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
    """Holds a lock, if there can be one.

    It only saves work: whatever is written gets its name when it is complete, so without a lock two
    processes may do the same, but do no harm. So where a lock cannot be had (a folder that cannot
    be written, a file system without locks, files on a server), this goes on without.

    Args:
      path: the lock's file. It stays, since others may be waiting for it.
    """
    with contextlib.ExitStack() as stack:
        if not is_remote(path):
            import filelock  # here, since it takes 30 ms, and reading needs none

            try:
                epath.Path(path).parent.mkdir(parents=True, exist_ok=True)
                if os.path.exists(path):
                    os.close(os.open(path, os.O_RDWR))  # If it may not, filelock waits forever.
                stack.enter_context(filelock.FileLock(path))
            except (OSError, NotImplementedError) as error:
                _logger.info("Going on without the lock %s: %s", path, error)
        yield
