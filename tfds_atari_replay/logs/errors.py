"""Errors of reading logs, each with the file it is about.

ReplayLogError
  UnreadableLogError

`DamageError` and the errors of NumPy, gzip and the operating system stay inside: `reporting_damage`
turns them into these.
"""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from isal import isal_zlib

if TYPE_CHECKING:
    from tfds_atari_replay.logs.files import CheckpointFiles


class ReplayLogError(ValueError):
    """A replay log is damaged, or is not what its name says.

    Attributes:
      files: the checkpoint, if the error is about one of its files.
    """

    files: CheckpointFiles | None = None


class UnreadableLogError(ReplayLogError):
    """A file could not be read, or changed meanwhile. The file itself may be fine."""


class DamageError(Exception):
    """What is wrong with a file. Always raised inside `reporting_damage`, which names the file."""


# IsalError is an exception, though its type stub does not say so.
_DAMAGE: Any = (DamageError, EOFError, gzip.BadGzipFile, isal_zlib.IsalError, zlib.error)


@contextlib.contextmanager
def reporting_damage(files: CheckpointFiles, name: str) -> Iterator[None]:
    """Turns whatever goes wrong with a file into an error that names it.

    Args:
      files: the checkpoint being read.
      name: the file's name among `files.paths`.

    Raises:
      ReplayLogError: the block found the file damaged.
      UnreadableLogError: the operating system could not read it.
    """
    try:
        yield
    except _DAMAGE as error:
        damage = ReplayLogError(
            f"{files}: {files.paths[name]} is damaged or not a log: {error}. {files.if_damaged}"
        )
        damage.files = files
        raise damage from error
    except OSError as error:
        raise UnreadableLogError(
            f"{files}: {files.paths[name]} cannot be read: {error.strerror or error}. Expected a "
            "file that this user may read."
        ) from error
