"""Where the logs are: one order of places, and one function that looks in them.

In order: a folder of the user's (`manual_dir`); `$ATARI_REPLAY_SOURCE`, which is a folder, a `gs://`
or other path that epath opens, or an http(s) base; d4rl-atari's cache (`$D4RL_DATASET_DIR`); the
public logs; and, if they are closed, RL Unplugged. If `$ATARI_REPLAY_SOURCE` is set, the public
copies are not asked. A checkpoint's files all come from one place, in one layout.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from etils import epath

from tfds_atari_replay import layouts
from tfds_atari_replay.games import Game
from tfds_atari_replay.replay_logs import CheckpointFiles

SOURCE_VARIABLE = "ATARI_REPLAY_SOURCE"
CACHE_VARIABLE = "D4RL_DATASET_DIR"
PUBLIC_LOGS = "https://storage.googleapis.com/atari-replay-datasets/dqn"
PUBLIC_UNPLUGGED = "https://storage.googleapis.com/rl_unplugged/atari_episodes_ordered"

# As many steps as 50 laps take, so that there is an `expert`; some minutes of play.
RECORD_COMMAND = "python -m tfds_atari_replay record --steps 500000 --capacity 10000"

# Errors of 400 to 499 mean that a file is not there, or not for us: without the right to list a
# bucket, Google's storage says 403 for files that do not exist; others say 400 or 410. But these,
# like all from 500 on, say nothing about the file.
_UNDECIDED = (407, 408, 429)

_logger = logging.getLogger(__name__)

Download: TypeAlias = Callable[[dict[str, str]], Mapping[str, epath.Path]]
"""Downloads files, given by name and URL; returns their paths by name."""


@dataclasses.dataclass(frozen=True)
class Found:
    """A checkpoint, and how it was found.

    Attributes:
      files: its files, on a disk or in a bucket.
      why: where they were found, and why not before, in a line for people.
      is_download: whether they were downloaded, so that a damaged one may be deleted.
    """

    files: CheckpointFiles
    why: str
    is_download: bool


@dataclasses.dataclass(frozen=True)
class _Place:
    name: str
    root: str | None
    layouts: Sequence[str] = tuple(layouts.FOLDERS)
    decides: bool = False
    """Whether the user named it. What such a place lacks of a run that it has is not looked for
    elsewhere."""


@dataclasses.dataclass(frozen=True)
class _Answer:
    """What looking in a place gave: files, or a text that says what is there instead."""

    text: str = ""
    """Begins with a blank, to stand behind the place."""
    files: CheckpointFiles | None = None
    urls: dict[str, str] = dataclasses.field(default_factory=dict)
    """Where the files must be downloaded from, if they are on a server."""
    ends_search: bool = False


class _UnreachableError(Exception):
    """A server does not answer, or not sensibly."""


def find(
    game: Game,
    run: int,
    numbers: Sequence[int],
    *,
    manual_dir: epath.PathLike | None,
    download: Download,
) -> Found:
    """Finds a checkpoint of a run, and downloads it if it is on a server.

    Args:
      game: whose logs.
      run: which run.
      numbers: of the checkpoint; of several, the first that is there.
      manual_dir: the user's folder.
      download: called at most once, with the checkpoint's files and nothing else.

    Raises:
      FileNotFoundError: there are no such logs in any place. The message says what was looked for,
        where, in which order, what was there, and what to do.
      OSError: a download failed.
    """
    passed: list[tuple[_Place, str]] = []
    answer = _Answer()
    for place in _places(manual_dir):
        if answer.ends_search:
            answer = _Answer(" (not asked)", ends_search=True)
        else:
            answer = _look(place, game, run, numbers)
        if answer.files is not None:
            why = _why(answer.files, passed)
            is_surprising = place.root == PUBLIC_UNPLUGGED or any(
                other.decides and other.root is not None for other, _ in passed
            )
            _logger.log(logging.WARNING if is_surprising else logging.INFO, "%s", why)
            if not answer.urls:
                return Found(answer.files, why, is_download=False)
            paths = download(answer.urls)
            folder = next(iter(paths.values())).parent
            files = dataclasses.replace(answer.files, folder=folder, paths=paths)
            return Found(files, why, is_download=True)
        passed.append((place, answer.text))
    raise FileNotFoundError(_nothing_found(game, run, numbers, passed))


def _why(files: CheckpointFiles, passed: Sequence[tuple[_Place, str]]) -> str:
    why = f"{files}: read from {files.folder}, {files.layout}"
    lacking = [f"{place.root}{text}" for place, text in passed if place.root is not None]
    return f"{why}, since not in {'; '.join(lacking)}" if lacking else why


def _places(manual_dir: epath.PathLike | None) -> Iterator[_Place]:
    for place in _all_places(manual_dir):
        layouts.check_address(place.name, place.root or "")
        yield place


def _all_places(manual_dir: epath.PathLike | None) -> Iterator[_Place]:
    source = os.environ.get(SOURCE_VARIABLE)
    yield _Place("manual_dir", manual_dir and os.fspath(manual_dir), decides=True)
    yield _Place(f"${SOURCE_VARIABLE}", source or None, decides=True)
    yield _Place(
        f"d4rl-atari's cache (${CACHE_VARIABLE})",
        os.environ.get(CACHE_VARIABLE) or os.path.expanduser("~/.d4rl/datasets"),
    )
    if not source:
        yield _Place("the public logs", PUBLIC_LOGS, ["dopamine"])
        yield _Place("RL Unplugged", PUBLIC_UNPLUGGED, ["rl_unplugged"])


def _look(place: _Place, game: Game, run: int, numbers: Sequence[int]) -> _Answer:
    if place.root is None:
        return _Answer()
    if place.root.lower().startswith(("http://", "https://")):
        try:
            return _look_online(place, game, run, numbers)
        except _UnreachableError as error:
            # That another place has data is no reason to go on: a name would mean other data on
            # another day.
            return _Answer(f" (cannot be reached: {error})", ends_search=True)
    return _look_in_folder(place, game, run, numbers)


def _look_in_folder(place: _Place, game: Game, run: int, numbers: Sequence[int]) -> _Answer:
    assert place.root is not None
    root = layouts.open_path(place.root)
    try:
        found = layouts.find_run(root, game, run)
        instead = "" if found else layouts.contents(root)
    except OSError as error:
        # Who named the folder may mean other data than the next place has.
        text = f" (cannot be listed: {error.strerror or error})"
        return _Answer(text, ends_search=place.decides)
    if not found:
        return _Answer(f" ({instead})")
    some = next(iter(found.values()))
    for number in layouts.numbers_in(game, some.layout, numbers):
        # A download of d4rl-atari's that broke off leaves files out.
        if number in found and (place.decides or not found[number].missing):
            return _Answer(files=found[number])
    there = ", ".join(map(str, found))
    if place.decides:
        raise FileNotFoundError(
            f"{game.name} run {run} has no checkpoint {_either(numbers)} in {some.folder}. "
            f"It has: {there}."
        )
    return _Answer(f" (has of {game.name} run {run} only checkpoint {there}, or not all its files)")


def _look_online(place: _Place, game: Game, run: int, numbers: Sequence[int]) -> _Answer:
    assert place.root is not None
    answers: set[int] = set()
    for layout in place.layouts:
        for name in layouts.FOLDERS[layout] if place.decides else [""]:
            base = "/".join(part for part in (place.root.rstrip("/"), name) if part)
            for number in layouts.numbers_in(game, layout, numbers):
                urls = layouts.urls_of(base, game, run, number, layout)
                status = _ask(list(urls.values())[-1])
                if status < 400:
                    advice = (
                        "It was a download and is deleted now; run again to download it again "
                        f"from {base}."
                    )
                    files = CheckpointFiles(game, run, number, base, {}, layout, advice)
                    return _Answer(files=files, urls=urls)
                answers.add(status)
    if not answers:
        return _Answer(f" (does not have {game.name} checkpoint {_either(numbers)})")
    return _Answer(f" (answers {' and '.join(map(str, sorted(answers)))})")


def _ask(url: str) -> int:
    """Asks whether a file is there; returns the status of HTTP."""
    # Imported here: most users' logs are in a folder.
    import requests
    import urllib3

    # TFDS tries ten times, three minutes long, before it says that there is no network.
    retries = urllib3.Retry(
        5, connect=1, read=1, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504)
    )
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retries))
        try:
            # Not HEAD, which signed URLs and simple servers refuse.
            with session.get(url, stream=True, timeout=(10, 60)) as response:
                status: int = response.status_code
                if status in _UNDECIDED or status >= 500:
                    raise _UnreachableError(f"it answers {status}")
                return status
        except requests.RequestException as error:
            reason = getattr(error.args[0], "reason", error) if error.args else error
            raise _UnreachableError(str(reason)) from error


def _either(numbers: Sequence[int]) -> str:
    return " or ".join(map(str, numbers))


def _nothing_found(
    game: Game, run: int, numbers: Sequence[int], passed: Sequence[tuple[_Place, str]]
) -> str:
    places = "".join(
        f"\n  {number}. {place.name}: {place.root or 'not set'}{text}"
        for number, (place, text) in enumerate(passed, 1)
    )
    if os.environ.get(SOURCE_VARIABLE):
        places += f"\n  (not in the public copies, since ${SOURCE_VARIABLE} is set)"
    if unplugged := layouts.numbers_in(game, "rl_unplugged", numbers):
        name = layouts.unplugged_name(game, run, unplugged[0])
        curl = f"curl --fail --create-dirs -o LOGS/{name} {PUBLIC_UNPLUGGED}/{name}"
    else:
        curl = f"# RL Unplugged does not have {game.name}, checkpoint {_either(numbers)}"
    return (
        f"No replay logs of {game.name} run {run}, checkpoint {_either(numbers)}. "
        f"Looked in, in this order:{places}\n"
        "There are three ways out.\n"
        "Point to a copy of the logs, a folder, gs://... or https://...:\n"
        f"  export {SOURCE_VARIABLE}=LOGS\n"
        f"where LOGS holds one of\n{layouts.LAYOUTS}\n"
        "Or take RL Unplugged's copy of the same play, and point to it:\n"
        f"  {curl}\n"
        "Or record logs of your own, and point to them:\n"
        f"  {RECORD_COMMAND} {game.rom} --run {run} --out LOGS"
    )
