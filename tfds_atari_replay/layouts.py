"""How copies of the logs are laid out: in which folders, under which names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from etils import epath

from tfds_atari_replay.games import GAMES, Game
from tfds_atari_replay.replay_logs import ARRAY_NAMES, CheckpointFiles

LAST = (50, 49)
"""Numbers of a run's last checkpoint; of these, the first that exists. A run whose last lap ended
inside an episode's padding has no checkpoint 50. In RL Unplugged it is the last file."""

LAYOUTS = """\
  [dqn/]Breakout/1/replay_logs/$store$_observation_ckpt.50.gz ...  (the public bucket's)
  [dqn/]Breakout/1/50/observation.gz ...                           (d4rl-atari's cache)
  [atari_episodes_ordered/]Breakout/run_1-00049-of-00050           (RL Unplugged's)"""

FOLDERS: Mapping[str, tuple[str, ...]] = {
    "dopamine": ("", "dqn"),
    "d4rl_atari": ("", "dqn"),
    "rl_unplugged": ("", "atari_episodes_ordered"),
}
"""By layout, in which folders of a place it may lie. Of two layouts in one place the first wins."""

# As the programs write them, and in no other way: `ckpt.01` beside `ckpt.1` is no checkpoint 1.
_NUMBER = "0|[1-9][0-9]*"
_DOPAMINE_FILE = re.compile(
    rf"(?:\$store\$_(observation|action|reward|terminal)|(add_count))_ckpt\.({_NUMBER})\.gz"
)
_UNPLUGGED_FILE = re.compile(rf"run_({_NUMBER})-([0-9]{{5}})-of-[0-9]{{5}}")


def find_run(root: epath.Path, game: Game, run: int) -> Mapping[int, CheckpointFiles]:
    """Finds the checkpoints of a run under a folder, by number; those with files missing too.

    All are of one layout: the first of Dopamine's logs, d4rl-atari's cache, RL Unplugged.
    """
    for layout in FOLDERS:
        found = {files.number: files for files in _list_run(root, game, run, layout)}
        if found:
            return found
    return {}


def list_checkpoints(root: epath.Path) -> list[CheckpointFiles]:
    """Finds all checkpoints under a folder, of all layouts."""
    runs: set[tuple[str, int]] = set()
    for name in {name for names in FOLDERS.values() for name in names}:
        for folder in _children(root / name):
            for child in _children(folder) if folder.name in GAMES else []:
                if re.fullmatch(_NUMBER, child.name):
                    runs.add((folder.name, int(child.name)))
                elif match := _UNPLUGGED_FILE.fullmatch(child.name):
                    runs.add((folder.name, int(match[1])))
    return [
        files
        for game, run in sorted(runs)
        for layout in FOLDERS
        for files in _list_run(root, GAMES[game], run, layout)
    ]


def _list_run(root: epath.Path, game: Game, run: int, layout: str) -> list[CheckpointFiles]:
    list_files = {
        "dopamine": _dopamine_files,
        "d4rl_atari": _d4rl_files,
        "rl_unplugged": _unplugged_files,
    }[layout]
    for name in FOLDERS[layout]:
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
            found.setdefault(int(match[3]), {})[match[1] or match[2]] = path
    return found


def _d4rl_files(folder: epath.Path, run: int) -> dict[int, dict[str, epath.Path]]:
    found: dict[int, dict[str, epath.Path]] = {}
    for child in _children(folder / str(run)):
        if re.fullmatch(_NUMBER, child.name):
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


def check_address(what: str, address: epath.PathLike) -> None:
    """Refuses an address that holds a secret, or that no file's name can be added to.

    What is refused is not shown: messages end up in logs, and addresses in registries.

    Args:
      what: it is, for the message.
      address: a path or a URL.

    Raises:
      ValueError: it has a user name, a password, a query or a fragment.
    """
    _, separator, rest = os.fspath(address).partition("://")
    if not separator:
        return
    # A slash or an @ in a password would lead urllib astray.
    host = rest.rpartition("@")[2].partition("/")[0]
    if "@" in rest:
        raise ValueError(
            f"{what} must not hold a user name or a password (in a path, write @ as %40). For "
            "http(s) put them into ~/.netrc, where they are looked for:\n"
            f"  machine {host.partition(':')[0]} login USER password PASSWORD"
        )
    if "?" in rest or "#" in rest:
        raise ValueError(
            f"{what} must be a base to which names of files can be added, without '?' or '#', got "
            f"such an address of {host}. Signed URLs are for single files: download them to a "
            "folder, and point to that."
        )


def open_path(path: epath.PathLike) -> epath.Path:
    """Returns a path that epath opens.

    Raises:
      ValueError: it cannot open such paths; see also `check_address`.
    """
    check_address("A place of logs", path)
    try:
        return epath.Path(path).expanduser()
    except KeyError as error:
        raise ValueError(
            f"Cannot list {os.fspath(path)}: expected a folder, or a gs:// or s3:// path. (From "
            "http(s) logs can be read, but not listed.)"
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


def urls_of(base: str, game: Game, run: int, number: int, layout: str) -> dict[str, str]:
    """Where a checkpoint's files are below a base, by array name, the smallest last."""
    if layout == "rl_unplugged":
        return {"episodes": f"{base}/{unplugged_name(game, run, number)}"}
    folder = f"{base}/{game.name}/{run}"
    if layout == "d4rl_atari":
        return {name: f"{folder}/{number}/{name}.gz" for name in ARRAY_NAMES}
    urls = {name: f"{folder}/replay_logs/$store$_{name}_ckpt.{number}.gz" for name in ARRAY_NAMES}
    return {**urls, "add_count": f"{folder}/replay_logs/add_count_ckpt.{number}.gz"}


def unplugged_name(game: Game, run: int, number: int) -> str:
    """The name of a file of RL Unplugged."""
    return f"{game.name}/run_{run}-{number:05}-of-{game.unplugged_shards:05}"


def numbers_in(game: Game, layout: str, numbers: Sequence[int]) -> Sequence[int]:
    """Which checkpoints to look for, as this layout numbers them."""
    if layout != "rl_unplugged":
        return numbers
    shards = range(game.unplugged_shards)
    return shards[-1:] if tuple(numbers) == LAST else [n for n in numbers if n in shards]
