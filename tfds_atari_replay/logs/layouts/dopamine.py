"""Dopamine's layout, which its logger writes and the public bucket has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy.typing as npt
from etils import epath

from tfds_atari_replay.games import Game
from tfds_atari_replay.logs import episodes
from tfds_atari_replay.logs.checkpoint import ARRAY_NAMES, Checkpoint, open_checkpoint
from tfds_atari_replay.logs.files import (
    NUMBER,
    CheckpointFiles,
    Layout,
    OpenedCheckpoint,
    numbered,
)
from tfds_atari_replay.logs.joining import join_rings
from tfds_atari_replay.logs.paths import children
from tfds_atari_replay.logs.records import Episode, Outline, Rows, Scalar
from tfds_atari_replay.logs.runs import Run


class RingCheckpoint(OpenedCheckpoint):
    """A checkpoint of Dopamine's ring buffer."""

    def __init__(self, ring: Checkpoint):
        self.ring = ring
        self.files = ring.files
        self.capacity = ring.capacity
        self.cursor = ring.cursor
        self.add_count = ring.add_count
        self.is_last_dump = ring.is_last_dump

    def episodes(self, frames_at_once: int = 256) -> Iterator[Episode]:
        return episodes.read_episodes(self.ring, frames_at_once)

    def outline(self, *, deep: bool) -> Outline:
        return episodes.outline(self.ring, deep=deep)

    def rows(self) -> Rows:
        return episodes.read_rows(self.ring)

    def in_time_order(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        return self.ring.in_time_order(array)

    def count_repeated(self, before: OpenedCheckpoint) -> int | None:
        if not isinstance(before, RingCheckpoint):
            return None
        return episodes.count_repeated(before.ring, self.ring)


class RingLayout(Layout):
    """A layout of Dopamine's arrays, a file each."""

    folders = ("", "dqn")

    def runs(self, folder: epath.Path) -> set[int]:
        return numbered(folder)

    def open(self, files: CheckpointFiles) -> OpenedCheckpoint:
        return RingCheckpoint(open_checkpoint(files))


class DopamineLayout(RingLayout):
    """The layout of Dopamine's logger and of the public bucket."""

    name = "dopamine"
    title = "Dopamine's logs"
    example = (
        "[dqn/]Breakout/1/replay_logs/$store$_observation_ckpt.50.gz ...  (the public bucket's)"
    )
    # add_count too: interrupted copies and recordings lack it, and only it says where the ring
    # starts.
    needed = (*ARRAY_NAMES, "add_count")
    probe = "add_count"
    public_title = "the public logs"
    public_url = "https://storage.googleapis.com/atari-replay-datasets/dqn"

    _file = re.compile(
        rf"(?:\$store\$_(observation|action|reward|terminal)|(add_count))_ckpt\.({NUMBER})\.gz"
    )

    def urls(self, base: str, game: Game, run: int, number: int) -> dict[str, str]:
        folder = f"{base}/{game.name}/{run}/replay_logs"
        urls = {name: f"{folder}/$store$_{name}_ckpt.{number}.gz" for name in ARRAY_NAMES}
        return {**urls, "add_count": f"{folder}/add_count_ckpt.{number}.gz"}

    def join(self, checkpoints: Sequence[CheckpointFiles]) -> Run:
        return join_rings(checkpoints)

    def _files(self, folder: epath.Path, run: int) -> Iterator[tuple[int, str, epath.Path]]:
        for path in children(folder / str(run) / "replay_logs"):
            if match := self._file.fullmatch(path.name):
                yield int(match[3]), match[1] or match[2], path
