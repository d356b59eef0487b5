"""Where logs come from: one order of places, and one function that looks there.

The order: the user's folder (`manual_dir`); `$ATARI_REPLAY_SOURCE`, which is a folder, a gs:// or
other path that epath can list, or an http(s) base; d4rl-atari's cache (`$D4RL_DATASET_DIR`); the
public logs; RL Unplugged, if the public logs are closed. With `$ATARI_REPLAY_SOURCE` set, the
public copies are not asked. A checkpoint's files all come from one place, in one layout.
"""

from __future__ import annotations

import dataclasses
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
PUBLIC_LOGS = "https://storage.googleapis.com/atari-replay-datasets/dqn"
PUBLIC_UNPLUGGED = "https://storage.googleapis.com/rl_unplugged/atari_episodes_ordered"

# Some minutes of play, with the 50 laps that it takes for an `expert`.
RECORD_COMMAND = "python -m tfds_atari_replay record --steps 500000 --capacity 10000"

_logger = logging.getLogger(__name__)

Download: TypeAlias = Callable[[dict[str, str]], Mapping[str, epath.Path]]
"""Downloads files, given as URL by name; returns their paths by name."""


@dataclasses.dataclass(frozen=True)
class Located:
    """A checkpoint, and how it was found.

    Attributes:
      files: its files; on a server, without paths as yet.
      urls: by name, where to download the files from; empty if they need no download.
      why: one line for people: where the checkpoint was found, and why not in an earlier place.
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
class _Place:
    name: str
    root: str | None
    layouts: Sequence[Layout] = layouts.LAYOUTS
    is_users: bool = False
    """Whether the user named it. What such a place lacks of a run that it has is an error."""

    def __str__(self) -> str:
        return f"{self.name}: {self.root or 'not set'}"


@dataclasses.dataclass(frozen=True)
class _Hit:
    checkpoints: Sequence[CheckpointFiles]
    urls: Sequence[Mapping[str, str]]
    """One for each checkpoint; empty if it needs no download."""


@dataclasses.dataclass(frozen=True)
class _Miss:
    place: _Place
    instead: str = ""
    """What the place holds, or answers."""
    ends_search: bool = False

    @property
    def remark(self) -> str:
        """`instead` in brackets, to put behind the place."""
        return f" ({self.instead})" if self.instead else ""


def locate(wanted: Config, *, manual_dir: epath.PathLike | None) -> list[Located]:
    """Finds the checkpoints of a config, by number, all in one place. Nothing is downloaded.

    A folder is listed; a server is asked for each number.

    Args:
      wanted: whose checkpoints.
      manual_dir: the user's folder.

    Returns:
      One, or as many as there are of a whole run.

    Raises:
      FileNotFoundError: no place has such logs. The message lists the places in order, what each
        holds instead, and what to do.
      ValueError: an address holds a secret, or cannot be listed.
    """
    misses: list[_Miss] = []
    for place in _places(manual_dir):
        # Before anything else: places that are not asked are named in messages too.
        paths.check_address(place.name, place.root or "")
        if misses and misses[-1].ends_search:
            misses.append(_Miss(place, "not asked", ends_search=True))
            continue
        found = _look(place, wanted)
        if isinstance(found, _Hit):
            why = _explain_hit(found, misses)
            is_surprising = place.root == PUBLIC_UNPLUGGED or any(
                miss.place.is_users and miss.place.root for miss in misses
            )
            _logger.log(logging.WARNING if is_surprising else logging.INFO, "%s", why)
            return [
                Located(files, urls, why)
                for files, urls in zip(found.checkpoints, found.urls, strict=True)
            ]
        misses.append(found)
    raise FileNotFoundError(_explain_misses(wanted, misses))


def _places(manual_dir: epath.PathLike | None) -> Iterator[_Place]:
    source = os.environ.get(SOURCE_VARIABLE)
    yield _Place("manual_dir", manual_dir and os.fspath(manual_dir), is_users=True)
    yield _Place(f"${SOURCE_VARIABLE}", source or None, is_users=True)
    yield _Place(
        f"d4rl-atari's cache (${CACHE_VARIABLE})",
        os.environ.get(CACHE_VARIABLE) or os.path.expanduser("~/.d4rl/datasets"),
    )
    if not source:
        yield _Place("the public logs", PUBLIC_LOGS, [layouts.DOPAMINE])
        yield _Place("RL Unplugged", PUBLIC_UNPLUGGED, [layouts.UNPLUGGED])


def _look(place: _Place, wanted: Config) -> _Hit | _Miss:
    if place.root is None:
        return _Miss(place)
    if not place.root.lower().startswith(("http://", "https://")):
        return _look_in_folder(place, place.root, wanted)
    try:
        return _look_on_server(place, place.root, wanted)
    except servers.UnreachableError as error:
        # Do not fall through: a network outage must not change which data a config means.
        return _Miss(place, f"cannot be reached: {error}", ends_search=True)


def _look_in_folder(place: _Place, folder: str, wanted: Config) -> _Hit | _Miss:
    root = paths.absolute(paths.open_path(folder))
    try:
        found = {files.number: files for files in layouts.find_run(root, wanted.game, wanted.run)}
        if not found:
            return _Miss(place, paths.describe(root))
    except OSError as error:
        # Whoever named the folder may mean other data than the next place has.
        reason = f"cannot be listed: {error.strerror or error}"
        return _Miss(place, reason, ends_search=place.is_users)
    some = next(iter(found.values()))
    # An interrupted download of d4rl-atari's leaves files out. Nobody asked for that cache.
    usable = [files for files in found.values() if place.is_users or not files.missing]
    if wanted.split.is_whole_run:
        if usable and (place.is_users or some.layout.can_be_joined):
            return _Hit(usable, [{}] * len(usable))
        return _Miss(place, "lacks add_count, without which checkpoints cannot be joined")
    for number in some.layout.numbers(wanted.game, wanted.split):
        if number in found and found[number] in usable:
            return _Hit([found[number]], [{}])
    numbers = ", ".join(map(str, found))
    game, run = wanted.game.name, wanted.run
    if place.is_users:
        raise FileNotFoundError(
            f"{game} run {run} has no checkpoint {wanted.split} in {some.folder}. "
            f"It has: {numbers}."
        )
    return _Miss(place, f"has of {game} run {run} only checkpoint {numbers}, or not all its files")


def _look_on_server(place: _Place, url: str, wanted: Config) -> _Hit | _Miss:
    game, run = wanted.game, wanted.run
    statuses: set[int] = set()
    for layout in place.layouts:
        for folder in layout.folders if place.is_users else [""]:
            base = "/".join(part for part in (url.rstrip("/"), folder) if part)
            numbers = layout.numbers(game, wanted.split)
            urls = [layout.urls(base, game, run, number) for number in numbers]
            # In threads only if every answer counts.
            ask = map_ahead if wanted.split.is_whole_run else map
            statuses_of = ask(lambda of_one: servers.ask(list(of_one.values())[-1]), urls)
            there = []
            for number, of_one, status in zip(numbers, urls, statuses_of, strict=True):
                if status >= 400:
                    statuses.add(status)
                    continue
                there.append((number, of_one))
                if not wanted.split.is_whole_run:
                    break
            if there:
                advice = (
                    "It was a download and is deleted now; run again to download it again "
                    f"from {base}."
                )
                return _Hit(
                    [
                        CheckpointFiles(game, run, n, layout, base, {}, advice, is_download=True)
                        for n, _ in there
                    ],
                    [of_one for _, of_one in there],
                )
    if not statuses:
        return _Miss(place, f"does not have {game.name} checkpoint {wanted.split}")
    return _Miss(place, f"answers {' and '.join(map(str, sorted(statuses)))}")


def _explain_hit(hit: _Hit, misses: Sequence[_Miss]) -> str:
    files, last = hit.checkpoints[0], hit.checkpoints[-1]
    what = f"{files}" if files is last else f"{files} to {last.number}"
    folder = files.layout.run_folder(os.fspath(files.folder)) if files is not last else files.folder
    why = f"{what}: read from {folder}, {files.layout.name}"
    lacking = [f"{miss.place.root}{miss.remark}" for miss in misses if miss.place.root]
    return f"{why}, since not in {'; '.join(lacking)}" if lacking else why


def _explain_misses(wanted: Config, misses: Sequence[_Miss]) -> str:
    game = wanted.game
    places = "".join(
        f"\n  {number}. {miss.place}{miss.remark}" for number, miss in enumerate(misses, 1)
    )
    if os.environ.get(SOURCE_VARIABLE):
        places += f"\n  (not in the public copies, since ${SOURCE_VARIABLE} is set)"
    if numbers := layouts.UNPLUGGED.numbers(game, wanted.split):
        name = layouts.UNPLUGGED.file_name(game, wanted.run, numbers[0])
        curl = f"curl --fail --create-dirs -o LOGS/{name} {PUBLIC_UNPLUGGED}/{name}"
    else:
        curl = f"# RL Unplugged does not have {game.name}, checkpoint {wanted.split}"
    return (
        f"No replay logs of {game.name} run {wanted.run}, checkpoint {wanted.split}. "
        f"Looked in, in this order:{places}\n"
        "There are three ways out.\n"
        "Point to a copy of the logs, a folder, gs://... or https://...:\n"
        f"  export {SOURCE_VARIABLE}=LOGS\n"
        f"where LOGS holds one of\n{layouts.DESCRIPTION}\n"
        "Or take RL Unplugged's copy of the same play, and point to it:\n"
        f"  {curl}\n"
        "Or record logs of your own, and point to them:\n"
        f"  {RECORD_COMMAND} {game.rom} --run {wanted.run} --out LOGS"
    )
