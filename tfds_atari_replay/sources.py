"""Where the logs are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from etils import epath

from tfds_atari_replay.games import Game
from tfds_atari_replay.replay_logs import ARRAY_NAMES, CheckpointFiles

SOURCE_VARIABLE = "ATARI_REPLAY_SOURCE"

LAYOUTS = """\
  [dqn/]Breakout/1/replay_logs/$store$_observation_ckpt.50.gz ...  (the public bucket's)
  Breakout/1/50/observation.gz ...                                 (d4rl-atari's cache)"""

# As many steps as 50 laps take, so that there is an `expert`; some minutes of play.
RECORD_COMMAND = "python -m tfds_atari_replay record --steps 500000 --capacity 10000"

_DOPAMINE_FILE = re.compile(
    r"(?:\$store\$_)?(observation|action|reward|terminal|add_count)_ckpt\.(\d+)\.gz"
)


def places(manual_dir: epath.Path | None) -> list[epath.Path]:
    """The folders to look in, in order: `manual_dir`, then `$ATARI_REPLAY_SOURCE`."""
    variable = os.environ.get(SOURCE_VARIABLE)
    return [epath.Path(place) for place in (manual_dir, variable) if place]


def find_checkpoint(
    roots: Sequence[epath.Path], game: Game, run: int, numbers: Iterable[int]
) -> CheckpointFiles:
    """Finds a checkpoint of a run.

    The first folder that holds anything of the run decides: sources are never mixed.

    Args:
      roots: folders to look in, in order.
      game: whose logs.
      run: which run.
      numbers: of the checkpoint; of several, the first that is there.

    Raises:
      FileNotFoundError: no such run, or no such checkpoint in it. The message says what was looked
        for, where, and what is there.
    """
    for root in roots:
        found = find_run(root, game, run)
        if found:
            for number in numbers:
                if number in found:
                    return found[number]
            wanted = " or ".join(map(str, numbers))
            folder, there = next(iter(found.values())).folder, ", ".join(map(str, sorted(found)))
            raise FileNotFoundError(
                f"{game.name} run {run} has no checkpoint {wanted} in {folder}. It has: {there}."
            )
    looked = "".join(f"\n  {root}" + _contents(root) for root in roots) or " nowhere"
    raise FileNotFoundError(
        f"No replay logs of {game.name} run {run}. Looked in:{looked}\n"
        f"Point --manual_dir (or ${SOURCE_VARIABLE}) to a folder that holds them as\n{LAYOUTS}\n"
        "or record some of your own:\n"
        f"  {RECORD_COMMAND} {game.rom} --run {run} --out LOGS"
    )


def find_run(root: epath.Path, game: Game, run: int) -> Mapping[int, CheckpointFiles]:
    """Finds the checkpoints of a run under a folder, by number; those with files missing too."""
    for base in (root, root / "dqn"):
        folder = base / game.name / str(run)
        for paths_by_number in (_dopamine_files(folder / "replay_logs"), _d4rl_files(folder)):
            if paths_by_number:
                return {
                    number: CheckpointFiles(
                        game, run, number, next(iter(paths.values())).parent, paths
                    )
                    for number, paths in paths_by_number.items()
                }
    return {}


def _dopamine_files(folder: epath.Path) -> dict[int, dict[str, epath.Path]]:
    found: dict[int, dict[str, epath.Path]] = {}
    for path in _children(folder):
        if match := _DOPAMINE_FILE.fullmatch(path.name):
            found.setdefault(int(match[2]), {})[match[1]] = path
    return found


def _d4rl_files(folder: epath.Path) -> dict[int, dict[str, epath.Path]]:
    found: dict[int, dict[str, epath.Path]] = {}
    for child in _children(folder):
        if child.name.isdecimal():
            paths = {name: child / f"{name}.gz" for name in ARRAY_NAMES}
            paths = {name: path for name, path in paths.items() if path.exists()}
            if paths:
                found[int(child.name)] = paths
    return found


def _children(folder: epath.Path) -> list[epath.Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _contents(root: epath.Path) -> str:
    if not root.is_dir():
        return " (does not exist)"
    names = [child.name for child in _children(root)]
    if not names:
        return " (is empty)"
    return f" (holds {', '.join(names[:5])}{', ...' if len(names) > 5 else ''})"
