"""The layouts of the logs, one a file, and functions that find checkpoints in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from etils import epath

from tfds_atari_replay.games import GAMES, Game
from tfds_atari_replay.logs.files import CheckpointFiles, Layout
from tfds_atari_replay.logs.layouts.d4rl_atari import D4rlAtariLayout
from tfds_atari_replay.logs.layouts.dopamine import DopamineLayout
from tfds_atari_replay.logs.layouts.rl_unplugged import UnpluggedLayout
from tfds_atari_replay.logs.paths import children

LAYOUTS: tuple[Layout, ...] = (DopamineLayout(), D4rlAtariLayout(), UnpluggedLayout())
"""All layouts. If a folder has several, the first wins."""

DESCRIPTION = "\n".join(f"  {layout.example}" for layout in LAYOUTS)
"""The layouts, a line each, for messages."""


def find_run(root: epath.Path, game: Game, run: int) -> list[CheckpointFiles]:
    """Finds the checkpoints of a run below a folder, by number, all in one layout."""
    for layout in LAYOUTS:
        if found := layout.find(root, game, run):
            return found
    return []


def find_all(root: epath.Path) -> tuple[list[CheckpointFiles], list[OSError]]:
    """Finds every checkpoint below a folder, by game, run, layout and number.

    Returns:
      The checkpoints, and the error of each folder that this user may not list.
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
        games: list[epath.Path] = []
        for name in layout.folders:
            with going_on():
                games += [folder for folder in children(root / name) if folder.name in GAMES]
        for folder in games:
            with going_on():
                runs |= {(folder.name, run, order) for run in layout.runs(folder)}
    for game, run, order in sorted(runs):
        with going_on():
            found += LAYOUTS[order].find(root, GAMES[game], run)
    return found, list(errors.values())


def find_layout(name: str) -> Layout:
    """Returns the layout with this name, as in `info.metadata["source"]`."""
    return next(layout for layout in LAYOUTS if layout.name == name)
