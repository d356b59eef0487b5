"""RL Unplugged, the other public copy of the same play, as episodes.

A file is one checkpoint: a GZIP TFRecord with a `tf.train.Example` per episode. The facts come from
TFDS's builder `rlu_atari` (rl_unplugged/atari_utils.py); tests compare what both read.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from etils import epath

from tfds_atari_replay.configs import Split
from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.logs.example import parse_example, read_records
from tfds_atari_replay.logs.files import (
    NUMBER,
    CheckpointFiles,
    Layout,
    OpenedCheckpoint,
    Stamps,
    portable,
)
from tfds_atari_replay.logs.npy import open_gzip
from tfds_atari_replay.logs.paths import children
from tfds_atari_replay.logs.pngs import decode_frames
from tfds_atari_replay.logs.records import FRAME_SHAPE, Episode, Frames, Outline, Rows, Scalar
from tfds_atari_replay.logs.runs import Gap, Run, Shard
from tfds_atari_replay.threads import map_ahead

_EPISODES_PER_FILE = 1_000_000
"""More than any file has, since a checkpoint has a million rows."""

_logger = logging.getLogger(__name__)


class UnpluggedLayout(Layout):
    """RL Unplugged's layout: a file per checkpoint, numbered from 0, without the last dump."""

    name = "rl_unplugged"
    title = "RL Unplugged"
    example = "[atari_episodes_ordered/]Breakout/run_1-00049-of-00050           (RL Unplugged's)"
    needed = ("episodes",)
    folders = ("", "atari_episodes_ordered")
    probe = "episodes"
    public_title = "RL Unplugged"
    public_url = "https://storage.googleapis.com/rl_unplugged/atari_episodes_ordered"
    has_terminal_frames = True

    _file = re.compile(rf"run_({NUMBER})-([0-9]{{5}})-of-[0-9]{{5}}")

    def runs(self, folder: epath.Path) -> set[int]:
        matches = (self._file.fullmatch(path.name) for path in children(folder))
        return {int(match[1]) for match in matches if match}

    def urls(self, base: str, game: Game, run: int, number: int) -> dict[str, str]:
        return {"episodes": f"{base}/{self._file_name(game, run, number)}"}

    def open(self, files: CheckpointFiles) -> OpenedCheckpoint:
        return UnpluggedCheckpoint(files)

    def join(self, checkpoints: Sequence[CheckpointFiles]) -> Run:
        """Lists the files of a run, reading only the first episode of each.

        Nothing says whether an episode that a file cuts continues in the next one, nor whether rows
        are lost between the two. So none are joined: there is a gap before each file, and its first
        episode is assumed to begin before it.
        """
        shards, gaps = [], []
        next_number = 0
        for files in checkpoints:
            stamps = files.stamps()
            files.open().outline(deep=False)
            shards.append(_FileShard(files.number, files, portable(stamps)))
            if files.number:
                gaps.append(Gap(files.number, tuple(range(next_number, files.number)), None))
            next_number = files.number + 1
        return Run(shards, capacity=None, repeated=0, gaps=gaps)

    def numbers(self, game: Game, split: Split) -> Sequence[int]:
        shards = range(game.unplugged_shards)
        return shards[-1:] if split.take == "last" else [n for n in split.numbers if n in shards]

    def way_out(self, game: Game, run: int, split: Split) -> str:
        numbers = self.numbers(game, split)
        if not numbers:
            return f"# RL Unplugged does not have {game.name}, checkpoint {split}"
        name = self._file_name(game, run, numbers[0])
        return f"curl --fail --create-dirs -o LOGS/{name} {self.public_url}/{name}"

    def _file_name(self, game: Game, run: int, number: int) -> str:
        """Returns the name of a file, with its game's folder."""
        return f"{game.name}/run_{run}-{number:05}-of-{game.unplugged_shards:05}"

    def _files(self, folder: epath.Path, run: int) -> Iterator[tuple[int, str, epath.Path]]:
        for path in children(folder):
            match = self._file.fullmatch(path.name)
            if match and int(match[1]) == run:
                yield int(match[2]), "episodes", path


class UnpluggedCheckpoint(OpenedCheckpoint):
    """A file of RL Unplugged. Opening it reads nothing."""

    def __init__(self, files: CheckpointFiles):
        self.files = files

    def episodes(self, frames_at_once: int = 256) -> Iterator[Episode]:
        """Yields the episodes in the order of the file, one in memory at a time.

        The file does not say whether its first episode begins at a reset or continues one. Like
        `rlu_atari`, this takes every episode to begin at a reset, except a terminal state alone.
        Unlike Dopamine's logs, the file includes the terminal frame.

        Returns:
          Episodes whose `index` is the file's `episode_idx`. If the last discount is 0, the last
          step is the terminal state; its action and reward mean nothing and are left out.

        Raises:
          ReplayLogError: while reading, if the file is damaged, cut short or something else. gzip's
            checksum is compared after the last episode.
        """
        files = self.files
        path = files.paths["episodes"]
        with files.reporting_damage("episodes"), open_gzip(path) as (stream, size):
            count = 0
            for record in read_records(stream, size):
                features = parse_example(record)
                if not count:
                    self._note_other_number(_read_integer(features, "checkpoint_idx"))
                yield _to_episode(files, features, frames_at_once)
                count += 1
            if not count:
                raise DamageError("expected episodes, got none")

    def outline(self, *, deep: bool) -> Outline | None:
        """Lists the episodes without decoding images; reads only the first unless `deep`."""
        found = self.episodes()
        if not deep:
            next(found)
            return None
        episodes = [(len(e.action), float(e.reward.sum()), e.is_complete) for e in found]
        lengths, returns, is_complete = zip(*episodes, strict=True)
        return Outline(np.array(lengths), np.array(returns), np.array(is_complete), is_exact=True)

    def rows(self) -> Rows:
        """Reads the steps of all episodes in time order; there is no padding."""
        stamps = self.files.stamps()
        # The first pass only counts frames.
        episodes = [(e.action, e.reward, e.ends_in_terminal) for e in self.episodes()]
        actions, rewards, ended = zip(*episodes, strict=True)
        lengths = np.array([len(action) for action in actions])
        terminal = np.zeros(lengths.sum(), np.uint8)
        # A terminal state alone has no row.
        terminal[(lengths.cumsum() - 1)[np.array(ended) & (lengths > 0)]] = 1
        frames = np.empty((len(terminal), *FRAME_SHAPE), np.uint8)
        row = 0
        for episode in self.episodes():
            self.files.check_unchanged(stamps)  # A different file's episodes would not fit.
            stop = row + len(episode.action)
            for piece in episode.frames:
                taken = piece[: stop - row]  # without the terminal frame
                frames[row : row + len(taken)] = taken
                row += len(taken)
        self.files.check_unchanged(stamps)
        return Rows(frames, np.concatenate(actions), np.concatenate(rewards), terminal)

    def in_time_order(self, array: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        return array

    def _note_other_number(self, number: int) -> None:
        if number != self.files.number:
            _logger.warning(
                "%s: %s says that it holds checkpoint %s. Was it renamed?",
                self.files,
                self.files.paths["episodes"],
                number,
            )


@dataclasses.dataclass(frozen=True)
class _FileShard(Shard):
    number: int
    files: CheckpointFiles
    stamps: Stamps
    num_rows: int | None = None

    def episodes(self, frames_at_once: int = 256) -> Iterator[Episode]:
        self.files.check_unchanged(self.stamps)
        for index, episode in enumerate(UnpluggedCheckpoint(self.files).episodes(frames_at_once)):
            yield dataclasses.replace(
                episode,
                index=self.number * _EPISODES_PER_FILE + index,
                starts_at_reset=episode.starts_at_reset and (index > 0 or self.number == 0),
            )


def _read_integer(features: Mapping[str, Any], name: str) -> int:
    values = features[name].int64_list.value
    if len(values) != 1:
        raise DamageError(f"expected one {name} in each record, got {len(values)}")
    return int(values[0])


def _to_episode(
    files: CheckpointFiles, features: Mapping[str, Any], frames_at_once: int
) -> Episode:
    index = _read_integer(features, "episode_idx")
    where = f"episode {index}"
    pngs = features["observations"].bytes_list.value
    action = np.fromiter(features["actions"].int64_list.value, np.int64)
    reward = np.fromiter(features["clipped_rewards"].float_list.value, np.float32)
    discount = np.fromiter(features["discounts"].float_list.value, np.float32)
    lengths = {
        "observations": len(pngs),
        "actions": len(action),
        "clipped_rewards": len(reward),
        "discounts": len(discount),
    }
    if not pngs or len(set(lengths.values())) > 1:
        raise DamageError(f"{where}: expected fields of one length, at least 1, got {lengths}")
    # Discounts are one step late: the last one tells whether the action before it was terminal.
    ended = bool(discount[-1] == 0)
    if not discount[1:-1].all():
        raise DamageError(f"{where}: expected a discount of 0 in the last step only")
    length = len(pngs) - ended
    action, reward = action[:length], reward[:length]
    actions = len(files.game.actions)
    if length and not 0 <= action.min() <= action.max() < actions:
        raise DamageError(
            f"{where}: expected actions from 0 to {actions - 1}, {files.game.name}'s {actions} "
            f"(another game's file?), got {action.min()} to {action.max()}"
        )
    if not np.isfinite(reward).all():
        raise DamageError(f"{where}: expected finite rewards")
    return Episode(
        index,
        starts_at_reset=length > 0,
        ends_in_terminal=ended,
        action=action.astype(np.int32),
        reward=reward,
        frames=_decode(files, where, list(pngs), frames_at_once),
        has_terminal_frame=ended,
    )


def _decode(
    files: CheckpointFiles, where: str, pngs: Sequence[bytes], frames_at_once: int
) -> Iterator[Frames]:
    starts = range(0, len(pngs), frames_at_once)
    pieces = (pngs[start : start + frames_at_once] for start in starts)
    with files.reporting_damage("episodes"):
        try:
            yield from map_ahead(decode_frames, pieces)
        except DamageError as error:
            raise DamageError(f"{where}: {error}") from error
