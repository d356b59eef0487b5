"""The files of a checkpoint, and the interfaces of layouts and opened checkpoints."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple, TypeAlias

import numpy.typing as npt
from etils import epath

from tfds_atari_replay.configs import Split
from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.errors import DAMAGE, ReplayLogError, UnreadableLogError
from tfds_atari_replay.logs.paths import children, is_remote
from tfds_atari_replay.logs.records import Episode, Outline, Rows, Scalar
from tfds_atari_replay.logs.runs import Run

NUMBER = "0|[1-9][0-9]*"
"""How loggers write numbers: `ckpt.01` is not a second checkpoint 1."""


class Stamp(NamedTuple):
    """Distinguishes a file from one that takes its name later.

    Attributes:
      size: in bytes.
      modified: when it was written, in the file system's unit.
      inode: None if unknown, or if it must not be compared.
    """

    size: int
    modified: int
    inode: int | None = None

    def matches(self, other: Stamp) -> bool:
        """Whether two stamps may be of the same file."""
        is_same_inode = None in (self.inode, other.inode) or self.inode == other.inode
        return self[:2] == other[:2] and is_same_inode


Stamps: TypeAlias = Mapping[str, Stamp]
"""Stamps of files, by name."""


def portable(stamps: Stamps) -> Stamps:
    """Returns stamps that hold on every machine that sees the files; inodes differ between them."""
    return {name: stamp._replace(inode=None) for name, stamp in stamps.items()}


def numbered(folder: epath.Path) -> set[int]:
    """Returns the numbers among the names in a folder."""
    names = (child.name for child in children(folder))
    return {int(name) for name in names if re.fullmatch(NUMBER, name)}


@dataclasses.dataclass(frozen=True)
class CheckpointFiles:
    """The files of one checkpoint.

    Attributes:
      game: the game that was played.
      run: 1 to 5 in the public logs.
      number: the checkpoint's number, as in the file names.
      layout: how the files are named and read.
      folder: the folder or URL they are in.
      paths: by name: `observation`, `action`, `reward`, `terminal`, and `add_count` if the layout
        has it; in RL Unplugged `episodes`.
      if_damaged: what to do about a damaged file, for the error's message.
      is_download: whether they were downloaded, so that damaged ones may be deleted.
    """

    game: Game
    run: int
    number: int
    layout: Layout
    folder: epath.PathLike
    paths: Mapping[str, epath.Path]
    if_damaged: str = "Delete it and copy it again from where it came."
    is_download: bool = False

    @property
    def missing(self) -> list[str]:
        """The names of absent files that every copy in this layout should have."""
        return [name for name in self.layout.needed if name not in self.paths]

    def open(self) -> OpenedCheckpoint:
        """Reads and checks everything but the frames.

        Raises:
          FileNotFoundError: a file is missing.
          ReplayLogError: a file is damaged, unreadable, or not what its name says.
        """
        self.check_complete()
        return self.layout.open(self)

    def check_complete(self) -> None:
        """Checks that no file is missing.

        Raises:
          FileNotFoundError: one is missing.
        """
        if self.missing:
            raise FileNotFoundError(
                f"{self}: no file for {self.missing[0]!r} in {self.folder}, only for "
                f"{', '.join(sorted(self.paths)) or 'nothing'}. A checkpoint needs "
                f"{', '.join(self.layout.needed)}; copy the missing file there."
            )

    @contextlib.contextmanager
    def reporting_damage(self, name: str) -> Iterator[None]:
        """Turns any failure to read a file into an error that names it.

        Args:
          name: the file's name among `paths`.

        Raises:
          ReplayLogError: the file is damaged.
          UnreadableLogError: the operating system could not read it.
        """
        try:
            yield
        except DAMAGE as error:
            damage = ReplayLogError(
                f"{self}: {self.paths[name]} is damaged or not a log: {error}. {self.if_damaged}"
            )
            if self.is_download:
                damage.downloads = tuple(self.paths.values())
            raise damage from error
        except OSError as error:
            raise UnreadableLogError(
                f"{self}: {self.paths[name]} cannot be read: {error.strerror or error}. Expected a "
                "file that this user may read."
            ) from error

    def stamps(self) -> Stamps:
        """Returns stamps of all files; call it before reading them.

        Raises:
          UnreadableLogError: a file does not exist.
        """
        return {name: self._stamp(name) for name in self.paths}

    def check_unchanged(self, stamps: Stamps) -> None:
        """Checks that no file has changed since it was stamped.

        If files are replaced meanwhile, reading several of them, or one in two passes, would mix
        two checkpoints although each file is complete.

        Raises:
          UnreadableLogError: a file was changed or replaced.
        """
        for name, stamp in stamps.items():
            if not self._stamp(name).matches(stamp):
                raise UnreadableLogError(
                    f"{self}: {self.paths[name]} was changed while it was read. Run again once "
                    "nothing writes to it any more."
                )

    def _stamp(self, name: str) -> Stamp:
        path = self.paths[name]
        with self.reporting_damage(name):
            if is_remote(path):
                remote = path.stat()
                return Stamp(remote.length, remote.mtime)
            local = os.stat(path)
            return Stamp(local.st_size, local.st_mtime_ns, local.st_ino)

    def __str__(self) -> str:
        return f"{self.game.name} run {self.run} checkpoint {self.number}"


class OpenedCheckpoint(abc.ABC):
    """A checkpoint whose small arrays are read and checked; frames are still on disk.

    Attributes:
      files: the files it was read from.
      capacity: rows in Dopamine's ring; None where the layout does not say.
      cursor: the row that would have been written next; None likewise.
      add_count: rows ever added, as logged; None likewise.
      is_last_dump: whether `add_count` is only the cursor, as in a run's last dump.
    """

    files: CheckpointFiles
    capacity: int | None = None
    cursor: int | None = None
    add_count: int | None = None
    is_last_dump: bool = False

    @property
    def is_cursor_assumed(self) -> bool:
        """Whether the layout lacks `add_count`, so that the ring's start is a guess."""
        return self.cursor is not None and self.add_count is None

    @abc.abstractmethod
    def episodes(self, frames_at_once: int = 256) -> Iterator[Episode]:
        """Yields the episodes, oldest first, with their frames streamed.

        Take an episode's frames before asking for the next episode; the rest is skipped.

        Raises:
          ReplayLogError: while reading, if a file is damaged.
        """

    @abc.abstractmethod
    def outline(self, *, deep: bool) -> Outline | None:
        """Lists the episodes without their frames.

        Args:
          deep: whether to read every byte, so that gzip's checksums are compared and every step is
            counted. If not, the layout may know less, or nothing.
        """

    @abc.abstractmethod
    def rows(self) -> Rows:
        """Reads everything into memory."""

    @abc.abstractmethod
    def in_time_order(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Returns an array of `rows` with its rows oldest first, without those never written."""

    def count_repeated(self, before: OpenedCheckpoint) -> int | None:
        """Counts the rows of this last dump that are also in the previous checkpoint."""
        del before
        return None


class Layout(abc.ABC):
    """How a copy of the logs names its files, and how they are read.

    Attributes:
      name: for `info.metadata["source"]`.
      title: for people.
      example: a path in this layout, with a note on who uses it.
      needed: the names of the files that every checkpoint has.
      folders: subfolders to search, in order; the first with a run wins.
      probe: the name of the smallest file, for asking a server whether it has the checkpoint.
      why_not_joined: why checkpoints of a run cannot be joined; empty if they can.
      has_terminal_frames: whether it has the frames of terminal states.
      public_url: the base of its public copy, if any.
      public_title: the name of that copy.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    example: ClassVar[str]
    needed: ClassVar[tuple[str, ...]]
    folders: ClassVar[tuple[str, ...]]
    probe: ClassVar[str]
    why_not_joined: ClassVar[str] = ""
    has_terminal_frames: ClassVar[bool] = False
    public_url: ClassVar[str | None] = None
    public_title: ClassVar[str] = ""

    def __repr__(self) -> str:
        # Without a memory address: a second attempt at a build finds its shards by their repr.
        return f"{type(self).__name__}()"

    def find(self, root: epath.Path, game: Game, run: int) -> list[CheckpointFiles]:
        """Finds the checkpoints of a run below a folder, by number, also incomplete ones."""
        for folder in self.folders:
            found: dict[int, dict[str, epath.Path]] = {}
            for number, name, path in self._files(root / folder / game.name, run):
                found.setdefault(number, {})[name] = path
            if found:
                return [
                    CheckpointFiles(
                        game, run, number, self, next(iter(paths.values())).parent, paths
                    )
                    for number, paths in sorted(found.items())
                ]
        return []

    @abc.abstractmethod
    def runs(self, folder: epath.Path) -> set[int]:
        """Lists the runs that a game's folder may hold."""

    @abc.abstractmethod
    def urls(self, base: str, game: Game, run: int, number: int) -> dict[str, str]:
        """Returns the URLs of a checkpoint's files below a base, by name."""

    @abc.abstractmethod
    def open(self, files: CheckpointFiles) -> OpenedCheckpoint:
        """Opens a checkpoint that lacks no file; see `CheckpointFiles.open`."""

    @abc.abstractmethod
    def join(self, checkpoints: Sequence[CheckpointFiles]) -> Run:
        """Joins the checkpoints of a run, given by number, as far as the layout allows.

        Raises:
          FileNotFoundError: a file is missing.
          ReplayLogError: a file is damaged, or checkpoints are not of one run.
          ValueError: copies of this layout cannot be joined.
        """

    def run_folder(self, folder: str) -> str:
        """Returns the folder of a run, given the folder of one of its checkpoints."""
        return folder

    def way_out(self, game: Game, run: int, split: Split) -> str:
        """Returns a command that downloads a checkpoint to a folder LOGS, if there is one."""
        del game, run, split
        return ""

    def numbers(self, game: Game, split: Split) -> Sequence[int]:
        """Returns the numbers that the checkpoints of a split may have in this layout."""
        del game
        return split.numbers

    @abc.abstractmethod
    def _files(self, folder: epath.Path, run: int) -> Iterator[tuple[int, str, epath.Path]]:
        """Yields checkpoint, name and path of a run's files in a game's folder."""
