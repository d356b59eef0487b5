"""Finds the logs of a config: the origins, their order, and the messages to users.

The order is: the user's folder (`manual_dir`); `$ATARI_REPLAY_SOURCE`, which is a folder, a gs://
or other path that epath can list, or an http(s) base; d4rl-atari's cache (`$D4RL_DATASET_DIR`); the
public logs; RL Unplugged, if the public logs are closed. With `$ATARI_REPLAY_SOURCE` set, the
public copies are not asked. A checkpoint's files all come from one origin, in one layout.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from etils import epath

from tfds_atari_replay.configs import Config
from tfds_atari_replay.logs import layouts, paths, servers
from tfds_atari_replay.logs.files import CheckpointFiles, Layout
from tfds_atari_replay.threads import map_ahead

SOURCE_VARIABLE = "ATARI_REPLAY_SOURCE"
CACHE_VARIABLE = "D4RL_DATASET_DIR"

# Some minutes of play, with the 50 laps that an `expert` needs.
RECORD_COMMAND = "python -m tfds_atari_replay record --steps 500000 --capacity 10000"

_logger = logging.getLogger(__name__)

Download: TypeAlias = Callable[[dict[str, str]], Mapping[str, epath.Path]]
"""Downloads files, given as URL by name; returns their paths by name."""


@dataclasses.dataclass(frozen=True)
class Located:
    """A checkpoint, and how it was found.

    Attributes:
      files: its files; on a server, their paths are not known yet.
      urls: by name, where to download the files from; empty if they need no download.
      why: one line for people: where the checkpoint was found, and why not in an earlier origin.
    """

    files: CheckpointFiles
    urls: Mapping[str, str]
    why: str

    def fetch(self, download: Download) -> Located:
        """Downloads the files if they are on a server.

        Raises:
          OSError: a download failed.
        """
        if not self.urls:
            return self
        found = download(dict(self.urls))
        folder = next(iter(found.values())).parent
        return dataclasses.replace(
            self, files=dataclasses.replace(self.files, folder=folder, paths=found)
        )


@dataclasses.dataclass(frozen=True)
class _Origin:
    name: str
    root: str | None
    layouts: Sequence[Layout] = layouts.LAYOUTS
    is_users: bool = False
    """Whether the user chose it. If it has the run but not the checkpoint, that is an error."""
    is_substitute: bool = False
    """Whether users may not expect it, so that a warning names it."""

    def __str__(self) -> str:
        return f"{self.name}: {self.root or 'not set'}"


_Found: TypeAlias = Sequence[tuple[CheckpointFiles, Mapping[str, str]]]
"""Checkpoints, each with the URLs of its files by name; none if it needs no download."""


@dataclasses.dataclass(frozen=True)
class _Miss:
    origin: _Origin
    instead: str = ""
    """What the origin holds or answers instead."""
    ends_search: bool = False

    @property
    def remark(self) -> str:
        """`instead` in brackets, to follow the origin's name."""
        return f" ({self.instead})" if self.instead else ""


def locate(wanted: Config, *, manual_dir: epath.PathLike | None) -> list[Located]:
    """Finds the checkpoints of a config, by number, all in one origin. Nothing is downloaded.

    Folders are listed; servers are asked for each number.

    Args:
      wanted: whose checkpoints.
      manual_dir: the user's folder.

    Returns:
      One checkpoint; for a whole run, all that exist.

    Raises:
      FileNotFoundError: no origin has such logs. The message lists the origins in order, what each
        holds instead, and what to do.
      ValueError: an address holds a secret, or cannot be listed.
    """
    misses: list[_Miss] = []
    for origin in _origins(manual_dir):
        # Also those that are not asked, since messages name them.
        paths.check_address(origin.name, origin.root or "")
        if misses and misses[-1].ends_search:
            misses.append(_Miss(origin, "not asked", ends_search=True))
            continue
        found = _look(origin, wanted)
        if not isinstance(found, _Miss):
            why = _explain([files for files, _ in found], misses)
            is_surprising = origin.is_substitute or any(
                miss.origin.is_users and miss.origin.root for miss in misses
            )
            _logger.log(logging.WARNING if is_surprising else logging.INFO, "%s", why)
            return [Located(files, urls, why) for files, urls in found]
        misses.append(found)
    raise FileNotFoundError(_explain_misses(wanted, misses))


def _origins(manual_dir: epath.PathLike | None) -> Iterator[_Origin]:
    source = os.environ.get(SOURCE_VARIABLE)
    yield _Origin("manual_dir", os.fspath(manual_dir) if manual_dir else None, is_users=True)
    yield _Origin(f"${SOURCE_VARIABLE}", source or None, is_users=True)
    yield _Origin(
        f"d4rl-atari's cache (${CACHE_VARIABLE})",
        os.environ.get(CACHE_VARIABLE) or os.path.expanduser("~/.d4rl/datasets"),
    )
    if not source:
        public = [layout for layout in layouts.LAYOUTS if layout.public_url]
        for index, layout in enumerate(public):
            title, url = layout.public_title, layout.public_url
            yield _Origin(title, url, [layout], is_substitute=index > 0)


def _look(origin: _Origin, wanted: Config) -> _Found | _Miss:
    if origin.root is None:
        return _Miss(origin)
    if not origin.root.lower().startswith(("http://", "https://")):
        return _look_in_folder(origin, origin.root, wanted)
    try:
        return _look_on_server(origin, origin.root, wanted)
    except servers.UnreachableError as error:
        # Do not fall through: a network outage must not change which data a config means.
        return _Miss(origin, f"cannot be reached: {error}", ends_search=True)


def _look_in_folder(origin: _Origin, folder: str, wanted: Config) -> _Found | _Miss:
    root = paths.absolute(paths.open_path(folder))
    try:
        found = {files.number: files for files in layouts.find_run(root, wanted.game, wanted.run)}
        if not found:
            return _Miss(origin, paths.describe(root))
    except OSError as error:
        # The user may have meant other data than the next origin has.
        reason = f"cannot be listed: {error.strerror or error}"
        return _Miss(origin, reason, ends_search=origin.is_users)
    some = next(iter(found.values()))
    # Interrupted downloads by d4rl-atari lack files. No user chose its cache, so they are skipped.
    usable = [files for files in found.values() if origin.is_users or not files.missing]
    if wanted.split.is_whole_run:
        if usable and (origin.is_users or not some.layout.why_not_joined):
            return [(files, {}) for files in usable]
        return _Miss(origin, some.layout.why_not_joined or "lacks some files of each checkpoint")
    for number in some.layout.numbers(wanted.game, wanted.split):
        if number in found and found[number] in usable:
            return [(found[number], {})]
    numbers = ", ".join(map(str, found))
    game, run = wanted.game.name, wanted.run
    if origin.is_users:
        raise FileNotFoundError(
            f"{game} run {run} has no checkpoint {wanted.split} in {some.folder}. "
            f"It has: {numbers}."
        )
    return _Miss(
        origin,
        f"has only these checkpoints of {game} run {run}, or lacks some of their files: {numbers}",
    )


def _look_on_server(origin: _Origin, url: str, wanted: Config) -> _Found | _Miss:
    game, run = wanted.game, wanted.run
    statuses: set[int] = set()
    for layout in origin.layouts:
        for folder in layout.folders if origin.is_users else [""]:
            base = f"{url.rstrip('/')}/{folder}".rstrip("/")
            if numbers := _ask_for(layout, base, wanted, statuses):
                advice = (
                    "It was a download and is deleted now; run again to download it again "
                    f"from {base}."
                )
                return [
                    (
                        CheckpointFiles(game, run, n, layout, base, {}, advice, is_download=True),
                        layout.urls(base, game, run, n),
                    )
                    for n in numbers
                ]
    if not statuses:
        return _Miss(origin, f"does not have {game.name} checkpoint {wanted.split}")
    return _Miss(origin, f"answers {' and '.join(map(str, sorted(statuses)))}")


def _ask_for(layout: Layout, base: str, wanted: Config, statuses: set[int]) -> list[int]:
    """Asks a server for the smallest file of each checkpoint.

    Args:
      layout: says which checkpoints there may be, and their URLs.
      base: the server's address for this layout.
      wanted: whose checkpoints.
      statuses: those of refusals are added to it.

    Returns:
      The numbers that the server has: of a whole run all of them, otherwise the first.
    """

    def is_there(number: int) -> bool:
        status = servers.ask(layout.urls(base, wanted.game, wanted.run, number)[layout.probe])
        if status >= 400:
            statuses.add(status)
        return status < 400

    numbers = layout.numbers(wanted.game, wanted.split)
    if wanted.split.is_whole_run:
        return list(itertools.compress(numbers, map_ahead(is_there, numbers)))
    return list(itertools.islice(filter(is_there, numbers), 1))


def _explain(found: Sequence[CheckpointFiles], misses: Sequence[_Miss]) -> str:
    """Returns `Located.why`."""
    first, last = found[0], found[-1]
    if first is last:
        why = f"{first}: read from {first.folder}, {first.layout.name}"
    else:
        folder = first.layout.run_folder(os.fspath(first.folder))
        why = f"{first} to {last.number}: read from {folder}, {first.layout.name}"
    lacking = [f"{miss.origin.root}{miss.remark}" for miss in misses if miss.origin.root]
    return f"{why}, since not in {'; '.join(lacking)}" if lacking else why


def _explain_misses(wanted: Config, misses: Sequence[_Miss]) -> str:
    game = wanted.game
    origins = "".join(
        f"\n  {position}. {miss.origin}{miss.remark}" for position, miss in enumerate(misses, 1)
    )
    if os.environ.get(SOURCE_VARIABLE):
        origins += f"\n  (not in the public copies, since ${SOURCE_VARIABLE} is set)"
    commands = "".join(
        f"Or take {layout.public_title}'s copy of the same play, and point to it:\n  {command}\n"
        for layout in layouts.LAYOUTS
        if (command := layout.way_out(game, wanted.run, wanted.split))
    )
    return (
        f"No replay logs of {game.name} run {wanted.run}, checkpoint {wanted.split}. "
        f"Looked in, in this order:{origins}\n"
        "There are three ways out.\n"
        "Point to a copy of the logs, a folder, gs://... or https://...:\n"
        f"  export {SOURCE_VARIABLE}=LOGS\n"
        f"where LOGS holds one of\n{layouts.DESCRIPTION}\n"
        f"{commands}"
        "Or record logs of your own, and point to them:\n"
        f"  {RECORD_COMMAND} {game.rom} --run {wanted.run} --out LOGS"
    )
