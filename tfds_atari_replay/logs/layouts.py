"""The three layouts that copies of the logs have, and finding checkpoints in them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence

from etils import epath

from tfds_atari_replay.configs import Split
from tfds_atari_replay.games import GAMES, Game
from tfds_atari_replay.logs import episodes
from tfds_atari_replay.logs.checkpoint import ARRAY_NAMES, Checkpoint, open_checkpoint
from tfds_atari_replay.logs.files import CheckpointFiles, FilesByName, Layout, OpenedCheckpoint
from tfds_atari_replay.logs.joining import join_rings
from tfds_atari_replay.logs.paths import children
from tfds_atari_replay.logs.records import Episode, Outline, Rows
from tfds_atari_replay.logs.runs import Run
from tfds_atari_replay.logs.unplugged import UnpluggedCheckpoint, join_files

# As the programs write numbers, and in no other way: `ckpt.01` next to `ckpt.1` is no checkpoint 1.
_NUMBER = "0|[1-9][0-9]*"


class _RingCheckpoint(OpenedCheckpoint):
    """A checkpoint of Dopamine's ring buffer."""

    def __init__(self, ring: Checkpoint):
        self.ring = ring
        self.files = ring.files
        self.capacity = ring.capacity
        self.cursor = ring.cursor
        self.add_count = ring.add_count
        self.is_last_dump = ring.is_last_dump

    def episodes(self, frames_at_once: int = 64) -> Iterator[Episode]:
        return episodes.read_episodes(self.ring, frames_at_once)

    def outline(self, *, deep: bool) -> Outline:
        return episodes.outline(self.ring, deep=deep)

    def rows(self) -> Rows:
        return episodes.read_rows(self.ring)

    def count_repeated(self, before: OpenedCheckpoint) -> int | None:
        if not isinstance(before, _RingCheckpoint):
            return None
        return episodes.count_repeated(before.ring, self.ring)


class DopamineLayout(Layout):
    """The public bucket's, as Dopamine's logger writes it."""

    name = "dopamine"
    title = "Dopamine's logs"
    example = (
        "[dqn/]Breakout/1/replay_logs/$store$_observation_ckpt.50.gz ...  (the public bucket's)"
    )
    # add_count too: an interrupted copy or recording lacks it, and nobody else knows where the ring
    # starts.
    needed = (*ARRAY_NAMES, "add_count")
    folders = ("", "dqn")

    _file = re.compile(
        rf"(?:\$store\$_(observation|action|reward|terminal)|(add_count))_ckpt\.({_NUMBER})\.gz"
    )

    def runs(self, folder: epath.Path) -> set[int]:
        return _numbered(folder)

    def urls(self, base: str, game: Game, run: int, number: int) -> dict[str, str]:
        folder = f"{base}/{game.name}/{run}/replay_logs"
        urls = {name: f"{folder}/$store$_{name}_ckpt.{number}.gz" for name in ARRAY_NAMES}
        return {**urls, "add_count": f"{folder}/add_count_ckpt.{number}.gz"}

    def open(self, files: CheckpointFiles) -> OpenedCheckpoint:
        return _RingCheckpoint(open_checkpoint(files))

    def join(self, checkpoints: Sequence[CheckpointFiles]) -> Run:
        return join_rings(checkpoints)

    def _files(self, folder: epath.Path, run: int) -> dict[int, FilesByName]:
        found: dict[int, FilesByName] = {}
        for path in children(folder / str(run) / "replay_logs"):
            if match := self._file.fullmatch(path.name):
                found.setdefault(int(match[3]), {})[match[1] or match[2]] = path
        return found


class D4rlAtariLayout(Layout):
    """The cache of d4rl-atari, which copied four of the files under other names."""

    name = "d4rl_atari"
    title = "d4rl-atari's cache"
    example = (
        "[dqn/]Breakout/1/50/observation.gz ...                           (d4rl-atari's cache)"
    )
    needed = ARRAY_NAMES
    folders = ("", "dqn")
    can_be_joined = False

    def runs(self, folder: epath.Path) -> set[int]:
        return _numbered(folder)

    def urls(self, base: str, game: Game, run: int, number: int) -> dict[str, str]:
        return {name: f"{base}/{game.name}/{run}/{number}/{name}.gz" for name in ARRAY_NAMES}

    def run_folder(self, folder: str) -> str:
        return os.path.dirname(folder)

    def open(self, files: CheckpointFiles) -> OpenedCheckpoint:
        return _RingCheckpoint(open_checkpoint(files))

    def join(self, checkpoints: Sequence[CheckpointFiles]) -> Run:
        some = checkpoints[0]
        raise ValueError(
            f"{some.game.name} run {some.run} cannot be joined from {self.title} in "
            f"{self.run_folder(os.fspath(some.folder))}: it lacks add_count, which says whether a "
            "lap is lost between two checkpoints, and which rows of the last dump are repeated. "
            "Build single checkpoints (epoch_0 to epoch_50), or take a copy with the "
            "add_count_ckpt.*.gz files, of 100 bytes each, in Dopamine's layout."
        )

    def _files(self, folder: epath.Path, run: int) -> dict[int, FilesByName]:
        found: dict[int, FilesByName] = {}
        for number in _numbered(folder / str(run)):
            paths = {path.name: path for path in children(folder / str(run) / str(number))}
            files = {name: paths[f"{name}.gz"] for name in ARRAY_NAMES if f"{name}.gz" in paths}
            if files:
                found[number] = files
        return found


class UnpluggedLayout(Layout):
    """RL Unplugged's: a file per checkpoint, numbered from 0, without the last dump."""

    name = "rl_unplugged"
    title = "RL Unplugged"
    example = "[atari_episodes_ordered/]Breakout/run_1-00049-of-00050           (RL Unplugged's)"
    needed = ("episodes",)
    folders = ("", "atari_episodes_ordered")

    _file = re.compile(rf"run_({_NUMBER})-([0-9]{{5}})-of-[0-9]{{5}}")

    def runs(self, folder: epath.Path) -> set[int]:
        matches = (self._file.fullmatch(path.name) for path in children(folder))
        return {int(match[1]) for match in matches if match}

    def urls(self, base: str, game: Game, run: int, number: int) -> dict[str, str]:
        return {"episodes": f"{base}/{self.file_name(game, run, number)}"}

    def open(self, files: CheckpointFiles) -> OpenedCheckpoint:
        return UnpluggedCheckpoint(files)

    def join(self, checkpoints: Sequence[CheckpointFiles]) -> Run:
        return join_files(checkpoints)

    def numbers(self, game: Game, split: Split) -> Sequence[int]:
        shards = range(game.unplugged_shards)
        return shards[-1:] if split.take == "last" else [n for n in split.numbers if n in shards]

    def file_name(self, game: Game, run: int, number: int) -> str:
        """Returns the name of a file, with its game's folder."""
        return f"{game.name}/run_{run}-{number:05}-of-{game.unplugged_shards:05}"

    def _files(self, folder: epath.Path, run: int) -> dict[int, FilesByName]:
        matches = ((path, self._file.fullmatch(path.name)) for path in children(folder))
        return {
            int(match[2]): {"episodes": path}
            for path, match in matches
            if match and int(match[1]) == run
        }


DOPAMINE, D4RL_ATARI, UNPLUGGED = DopamineLayout(), D4rlAtariLayout(), UnpluggedLayout()

LAYOUTS: tuple[Layout, ...] = (DOPAMINE, D4RL_ATARI, UNPLUGGED)
"""All layouts. Where a place has several, the first wins."""

DESCRIPTION = "\n".join(f"  {layout.example}" for layout in LAYOUTS)
"""The layouts, a line each, for messages."""


def find_run(root: epath.Path, game: Game, run: int) -> list[CheckpointFiles]:
    """Finds the checkpoints of a run below a folder, in order, all of one layout."""
    for layout in LAYOUTS:
        if found := layout.find(root, game, run):
            return found
    return []


def find_all(root: epath.Path) -> tuple[list[CheckpointFiles], list[OSError]]:
    """Finds every checkpoint below a folder, by game, run, layout and number.

    Returns:
      The checkpoints, and an error for each folder that this user may not list.
    """
    runs: set[tuple[str, int, int]] = set()
    found: list[CheckpointFiles] = []
    errors: dict[str, OSError] = {}

    @contextlib.contextmanager
    def going_on() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            errors[str(error.filename)] = error

    for order, layout in enumerate(LAYOUTS):
        for name in layout.folders:
            with going_on():
                games = [folder for folder in children(root / name) if folder.name in GAMES]
                for folder in games:
                    with going_on():
                        runs |= {(folder.name, run, order) for run in layout.runs(folder)}
    for game, run, order in sorted(runs):
        with going_on():
            found += LAYOUTS[order].find(root, GAMES[game], run)
    return found, list(errors.values())


def _numbered(folder: epath.Path) -> set[int]:
    names = (child.name for child in children(folder))
    return {int(name) for name in names if re.fullmatch(_NUMBER, name)}
