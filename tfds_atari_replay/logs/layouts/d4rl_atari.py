"""d4rl-atari's cache, which copied four of Dopamine's files under different names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from etils import epath

from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.checkpoint import ARRAY_NAMES
from tfds_atari_replay.logs.files import CheckpointFiles, numbered
from tfds_atari_replay.logs.layouts.dopamine import RingLayout
from tfds_atari_replay.logs.paths import children
from tfds_atari_replay.logs.runs import Run


class D4rlAtariLayout(RingLayout):
    """d4rl-atari's cache: a folder per checkpoint, without add_count."""

    name = "d4rl_atari"
    title = "d4rl-atari's cache"
    example = (
        "[dqn/]Breakout/1/50/observation.gz ...                           (d4rl-atari's cache)"
    )
    needed = ARRAY_NAMES
    probe = "terminal"
    why_not_joined = "lacks add_count, without which checkpoints cannot be joined"

    def urls(self, base: str, game: Game, run: int, number: int) -> dict[str, str]:
        return {name: f"{base}/{game.name}/{run}/{number}/{name}.gz" for name in ARRAY_NAMES}

    def run_folder(self, folder: str) -> str:
        return os.path.dirname(folder)

    def join(self, checkpoints: Sequence[CheckpointFiles]) -> Run:
        some = checkpoints[0]
        raise ValueError(
            f"{some.game.name} run {some.run} cannot be joined from {self.title} in "
            f"{self.run_folder(os.fspath(some.folder))}: it lacks add_count, which says whether a "
            "lap is missing between two checkpoints, and which rows the last dump repeats. "
            "Build single checkpoints (epoch_0 to epoch_50), or take a copy with the "
            "add_count_ckpt.*.gz files, of 100 bytes each, in Dopamine's layout."
        )

    def _files(self, folder: epath.Path, run: int) -> Iterator[tuple[int, str, epath.Path]]:
        for number in numbered(folder / str(run)):
            for path in children(folder / str(run) / str(number)):
                if path.suffix == ".gz" and path.stem in ARRAY_NAMES:
                    yield number, path.stem, path
