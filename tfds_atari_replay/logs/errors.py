"""Errors of reading logs.

ReplayLogError
  UnreadableLogError

`DamageError` and the errors of NumPy, gzip and the operating system stay inside:
`CheckpointFiles.reporting_damage` turns them into these.
"""

from __future__ import annotations

import gzip
import zlib
from typing import Any

from etils import epath
from isal import isal_zlib


class ReplayLogError(ValueError):
    """A replay log is damaged, or is not what its name says.

    Attributes:
      downloads: the damaged checkpoint's files if they were downloaded, and so should be deleted.
    """

    downloads: tuple[epath.Path, ...] = ()


class UnreadableLogError(ReplayLogError):
    """A file could not be read, or changed while it was read. The file itself may be fine."""


class DamageError(Exception):
    """Says how a file is damaged; `CheckpointFiles.reporting_damage` adds which file it is."""


# What reading a damaged file raises. IsalError is an exception, although its type stub denies it.
DAMAGE: Any = (DamageError, EOFError, gzip.BadGzipFile, isal_zlib.IsalError, zlib.error)
