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
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from etils import epath

from tfds_atari_replay.games import GAMES, Game
from tfds_atari_replay.replay_logs import ARRAY_NAMES, CheckpointFiles

SOURCE_VARIABLE = "ATARI_REPLAY_SOURCE"
CACHE_VARIABLE = "D4RL_DATASET_DIR"
PUBLIC_LOGS = "https://storage.googleapis.com/atari-replay-datasets/dqn"
PUBLIC_UNPLUGGED = "https://storage.googleapis.com/rl_unplugged/atari_episodes_ordered"

LAST = (50, 49)
"""Numbers of a run's last checkpoint; of these, the first that exists. A run whose last lap ended
inside an episode's padding has no checkpoint 50. In RL Unplugged it is the last file."""

LAYOUTS = """\
  [dqn/]Breakout/1/replay_logs/$store$_observation_ckpt.50.gz ...  (the public bucket's)
  [dqn/]Breakout/1/50/observation.gz ...                           (d4rl-atari's cache)
  [atari_episodes_ordered/]Breakout/run_1-00049-of-00050           (RL Unplugged's)"""

# As many steps as 50 laps take, so that there is an `expert`; some minutes of play.
RECORD_COMMAND = "python -m tfds_atari_replay record --steps 500000 --capacity 10000"

# In which folders of a place a layout may lie. The order says which layout wins if there are two.
_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "dopamine": ("", "dqn"),
    "d4rl_atari": ("", "dqn"),
    "rl_unplugged": ("", "atari_episodes_ordered"),
}
_DOPAMINE_FILE = re.compile(
    r"(?:\$store\$_)?(observation|action|reward|terminal|add_count)_ckpt\.(\d+)\.gz"
)
_UNPLUGGED_FILE = re.compile(r"run_(\d+)-(\d{5})-of-\d{5}")

# What a server answers if a file is not there, or not for us: without the right to list a bucket,
# Google's storage says 403 for files that do not exist.
_NOT_THERE = (401, 403, 404)

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
    layouts: Sequence[str] = tuple(_FOLDERS)
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
    looked: list[str] = []
    lacking: list[str] = []
    answer = _Answer()
    is_surprising = False
    for place in _places(manual_dir):
        answer = _Answer(" (not asked)") if answer.ends_search else _look(place, game, run, numbers)
        if answer.files is not None:
            why = f"{answer.files}: read from {answer.files.folder}, {answer.files.layout}"
            why += f", since not in {'; '.join(lacking)}" if lacking else ""
            is_surprising |= place.root == PUBLIC_UNPLUGGED
            _logger.log(logging.WARNING if is_surprising else logging.INFO, "%s", why)
            if not answer.urls:
                return Found(answer.files, why, is_download=False)
            return Found(_downloaded(answer, download), why, is_download=True)
        looked.append(f"{place.name}: {place.root or 'not set'}{answer.text}")
        if place.root is not None:
            lacking.append(f"{place.root}{answer.text}")
            is_surprising |= place.decides
    raise FileNotFoundError(_nothing_found(game, run, numbers, looked))


def _downloaded(answer: _Answer, download: Download) -> CheckpointFiles:
    assert answer.files is not None
    paths = download(answer.urls)
    folder = next(iter(paths.values())).parent
    return dataclasses.replace(answer.files, folder=folder, paths=paths)


def _places(manual_dir: epath.PathLike | None) -> Iterator[_Place]:
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
    root = open_path(place.root)
    found = find_run(root, game, run)
    if not found:
        return _Answer(f" ({contents(root)})")
    some = next(iter(found.values()))
    for number in _numbers(game, some.layout, numbers):
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


def find_run(root: epath.Path, game: Game, run: int) -> Mapping[int, CheckpointFiles]:
    """Finds the checkpoints of a run under a folder, by number; those with files missing too.

    All are of one layout: the first of Dopamine's logs, d4rl-atari's cache, RL Unplugged.
    """
    for layout in _FOLDERS:
        found = {files.number: files for files in _list_run(root, game, run, layout)}
        if found:
            return found
    return {}


def list_checkpoints(root: epath.Path) -> list[CheckpointFiles]:
    """Finds all checkpoints under a folder, of all layouts."""
    runs: set[tuple[str, int]] = set()
    for name in {name for names in _FOLDERS.values() for name in names}:
        for folder in _children(root / name):
            for child in _children(folder) if folder.name in GAMES else []:
                if child.name.isdecimal():
                    runs.add((folder.name, int(child.name)))
                elif match := _UNPLUGGED_FILE.fullmatch(child.name):
                    runs.add((folder.name, int(match[1])))
    return [
        files
        for game, run in sorted(runs)
        for layout in _FOLDERS
        for files in _list_run(root, GAMES[game], run, layout)
    ]


def _list_run(root: epath.Path, game: Game, run: int, layout: str) -> list[CheckpointFiles]:
    list_files = {
        "dopamine": _dopamine_files,
        "d4rl_atari": _d4rl_files,
        "rl_unplugged": _unplugged_files,
    }[layout]
    for name in _FOLDERS[layout]:
        if found := list_files(root / name / game.name, run):
            return [
                CheckpointFiles(game, run, number, next(iter(paths.values())).parent, paths, layout)
                for number, paths in sorted(found.items())
            ]
    return []


def _dopamine_files(folder: epath.Path, run: int) -> dict[int, dict[str, epath.Path]]:
    found: dict[int, dict[str, epath.Path]] = {}
    for path in _children(folder / str(run) / "replay_logs"):
        if match := _DOPAMINE_FILE.fullmatch(path.name):
            found.setdefault(int(match[2]), {})[match[1]] = path
    return found


def _d4rl_files(folder: epath.Path, run: int) -> dict[int, dict[str, epath.Path]]:
    found: dict[int, dict[str, epath.Path]] = {}
    for child in _children(folder / str(run)):
        if child.name.isdecimal():
            files = {path.name: path for path in _children(child)}
            paths = {n: files[f"{n}.gz"] for n in ARRAY_NAMES if f"{n}.gz" in files}
            if paths:
                found[int(child.name)] = paths
    return found


def _unplugged_files(folder: epath.Path, run: int) -> dict[int, dict[str, epath.Path]]:
    found: dict[int, dict[str, epath.Path]] = {}
    for path in _children(folder):
        match = _UNPLUGGED_FILE.fullmatch(path.name)
        if match and int(match[1]) == run:
            found[int(match[2])] = {"episodes": path}
    return found


def _children(folder: epath.Path) -> list[epath.Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def open_path(path: epath.PathLike) -> epath.Path:
    """Returns a path that epath opens.

    Raises:
      ValueError: it cannot open such paths.
    """
    try:
        return epath.Path(path).expanduser()
    except KeyError as error:
        raise ValueError(
            f"Cannot list {os.fspath(path)}: expected a folder, or a gs:// or s3:// path. (An "
            f"http(s) base can be read from, as ${SOURCE_VARIABLE}, but not listed.)"
        ) from error


def contents(root: epath.Path) -> str:
    """Says in a few words what is at a path."""
    if not root.is_dir():
        if "://" in os.fspath(root):
            return "does not exist, or cannot be reached"
        return "is not a folder" if root.exists() else "does not exist"
    names = [child.name for child in _children(root)]
    if not names:
        return "is empty"
    return f"holds {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def _look_online(place: _Place, game: Game, run: int, numbers: Sequence[int]) -> _Answer:
    assert place.root is not None
    answers: set[int] = set()
    for layout in place.layouts:
        for name in _FOLDERS[layout] if place.decides else [""]:
            base = "/".join(part for part in (place.root.rstrip("/"), name) if part)
            for number in _numbers(game, layout, numbers):
                urls = _urls(base, game, run, number, layout)
                # The last is the smallest.
                status = _ask(list(urls.values())[-1])
                if status not in _NOT_THERE:
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


def _urls(base: str, game: Game, run: int, number: int, layout: str) -> dict[str, str]:
    if layout == "rl_unplugged":
        return {"episodes": f"{base}/{_unplugged_name(game, run, number)}"}
    folder = f"{base}/{game.name}/{run}"
    if layout == "d4rl_atari":
        return {name: f"{folder}/{number}/{name}.gz" for name in ARRAY_NAMES}
    urls = {name: f"{folder}/replay_logs/$store$_{name}_ckpt.{number}.gz" for name in ARRAY_NAMES}
    return {**urls, "add_count": f"{folder}/replay_logs/add_count_ckpt.{number}.gz"}


def _unplugged_name(game: Game, run: int, number: int) -> str:
    return f"{game.name}/run_{run}-{number:05}-of-{game.unplugged_shards:05}"


def _numbers(game: Game, layout: str, numbers: Sequence[int]) -> Sequence[int]:
    """Which checkpoints to look for, as this layout numbers them."""
    if layout != "rl_unplugged":
        return numbers
    shards = range(game.unplugged_shards)
    return shards[-1:] if tuple(numbers) == LAST else [n for n in numbers if n in shards]


def _ask(url: str) -> int:
    """Asks whether a file is there; returns the status of HTTP."""
    # Imported here: most users' logs are in a folder.
    import requests
    import urllib3

    # TFDS tries ten times, three minutes long, before it says that there is no network.
    retries = urllib3.Retry(
        5, connect=1, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504)
    )
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retries))
        try:
            # Not HEAD, which signed URLs and simple servers refuse.
            with session.get(url, stream=True, timeout=(10, 60)) as response:
                status: int = response.status_code
                return status
        except requests.RequestException as error:
            reason = getattr(error.args[0], "reason", error) if error.args else error
            raise _UnreachableError(str(reason)) from error


def _either(numbers: Sequence[int]) -> str:
    return " or ".join(map(str, numbers))


def _nothing_found(game: Game, run: int, numbers: Sequence[int], looked: Sequence[str]) -> str:
    places = "".join(f"\n  {number}. {place}" for number, place in enumerate(looked, 1))
    if os.environ.get(SOURCE_VARIABLE):
        places += f"\n  (not in the public copies, since ${SOURCE_VARIABLE} is set)"
    if unplugged := _numbers(game, "rl_unplugged", numbers):
        name = _unplugged_name(game, run, unplugged[0])
        curl = f"curl --fail --create-dirs -o LOGS/{name} {PUBLIC_UNPLUGGED}/{name}"
    else:
        curl = f"# RL Unplugged does not have {game.name}, checkpoint {_either(numbers)}"
    return (
        f"No replay logs of {game.name} run {run}, checkpoint {_either(numbers)}. "
        f"Looked in, in this order:{places}\n"
        "There are three ways out.\n"
        "Point to a copy of the logs, a folder, gs://... or https://...:\n"
        f"  export {SOURCE_VARIABLE}=LOGS\n"
        f"where LOGS holds one of\n{LAYOUTS}\n"
        "Or take RL Unplugged's copy of the same play, and point to it:\n"
        f"  {curl}\n"
        "Or record logs of your own, and point to them:\n"
        f"  {RECORD_COMMAND} {game.rom} --run {run} --out LOGS"
    )
