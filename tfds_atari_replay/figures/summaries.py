"""The episodes of a prepared dataset, read without unpacking a frame."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_datasets as tfds
from etils import epath

from tfds_atari_replay import blocks, progress
from tfds_atari_replay.arguments import check_whole
from tfds_atari_replay.configs import SPLITS, Config
from tfds_atari_replay.figures.episodes import Episode
from tfds_atari_replay.games import GAMES
from tfds_atari_replay.prepared.opening import open_prepared, reporting_damage
from tfds_atari_replay.prepared.reading import EPISODE, FIELDS, StoredEpisode, read_shard

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Summary:
    """A dataset's episode table, without the steps.

    Attributes:
      builder: TFDS's builder of the dataset.
      episodes: (E,) in time order, with the fields of `load_replay(...).episodes`: `episode_id`,
        `checkpoint_id`, `length` (logged steps, without the terminal state), `episode_return` (sum
        of clipped rewards), `is_complete` (from a reset to a terminal) and `unclipped_return` (NaN
        if unknown).
      action_counts: int64 (A,), how often each action was taken.
    """

    builder: tfds.core.DatasetBuilder
    episodes: Array
    action_counts: Array
    _places: Array  # int64 (E, 2): shard, record

    def __repr__(self) -> str:
        episodes = f"{len(self.episodes):,} episodes, {len(self.complete):,} complete"
        return f"Summary({self.name}: {episodes})"

    @property
    def name(self) -> str:
        """The config's name, such as breakout_expert_v0."""
        return str(self.builder.info.config_name)

    @property
    def metadata(self) -> dict[str, Any]:
        """The dataset's `info.metadata`."""
        return dict(self.builder.info.metadata)

    @property
    def source(self) -> str:
        """The game, run and checkpoints, as a phrase."""
        metadata = self.metadata
        first, last = metadata["checkpoints"][0], metadata["checkpoints"][-1]
        numbers = f"checkpoint {first}" if first == last else f"checkpoints {first} to {last}"
        return f"{metadata['game']}, run {metadata['run']}, {numbers}"

    @property
    def complete(self) -> Array:
        """The episodes from a reset to a terminal, whose returns can be compared."""
        complete: Array = self.episodes[self.episodes["is_complete"]]
        return complete

    @property
    def return_field(self) -> str:
        """`unclipped_return` if at least half of the episodes have it, else `episode_return`."""
        compared = self.complete if len(self.complete) else self.episodes
        num_known = np.count_nonzero(~np.isnan(compared["unclipped_return"]))
        is_enough = num_known > 0 and 2 * num_known >= len(compared)
        return "unclipped_return" if is_enough else "episode_return"

    @functools.cached_property
    def ranked(self) -> Array:
        """The episodes with steps by `return_field`, best first; equal ones in time order.

        Only complete ones, unless there are fewer than three; only those of known return.
        """
        chosen = self.complete if len(self.complete) >= 3 else self.episodes
        chosen = chosen[(chosen["length"] > 0) & ~np.isnan(chosen[self.return_field])]
        ranked: Array = chosen[np.argsort(-chosen[self.return_field], kind="stable")]
        return ranked

    def read(self, episode_id: int | None = None) -> Episode:
        """Reads an episode and its frames.

        Args:
          episode_id: default: that of the best return, complete or not.

        Raises:
          TypeError: the id is not a whole number.
          ValueError: no episode has this id, it has no steps, or the dataset is damaged.
        """
        with_steps = self.episodes[self.episodes["length"] > 0]
        if episode_id is not None:
            episode_id = check_whole("episode_id", episode_id, at_least=0)
        elif len(with_steps):
            returns = np.nan_to_num(with_steps[self.return_field], nan=-np.inf)
            episode_id = with_steps["episode_id"][returns.argmax()]
        ids = with_steps["episode_id"].tolist()
        if episode_id not in ids:
            shown = f"{ids[0]} to {ids[-1]}" if len(ids) > 9 else ", ".join(map(str, ids)) or "none"
            raise ValueError(f"episode_id must be one with steps: {shown} (got {episode_id})")
        shard, record = self._places[self.episodes["episode_id"] == episode_id][0].tolist()
        with reporting_damage(self.builder):
            stored = next(itertools.islice(read_shard(self.builder, shard), record, None))
            return self._unpack(stored)

    def _unpack(self, stored: StoredEpisode) -> Episode:
        columns = stored.unpack_columns()
        row = dict(zip(EPISODE.names or (), stored.describe(columns), strict=True))
        field, length = FIELDS["observation"], row["length"]
        unpacked = (blocks.unpack_block_np(block, field) for block in stored.frames)
        frames = np.concatenate([blocks.frames_of_np(block, field) for block in unpacked])
        return Episode(
            **row,
            dataset=self.builder.info.full_name,
            frames=frames[:length, ..., 0],
            action=columns["action"][:length],
            reward=columns["reward"][:length],
            unclipped_reward=columns["unclipped_reward"][:length],
            action_meanings=tuple(self.metadata["action_meanings"]),
        )


def summarize(name: str, *, data_dir: epath.PathLike | None = None) -> Summary:
    """Reads a prepared dataset's episode table, without frames: under a second per million steps.

    Example:
      ```python
      summary = figures.summarize("breakout_expert_v0")
      figures.returns_over_time(summary).savefig("returns.png")
      summary.read().frames  # of the best episode
      ```

    Args:
      name: as for `tfds.load`, or the config's name alone, such as "breakout_expert_v0".
      data_dir: as for `tfds.load`.

    Returns:
      The episode table, and how often each action was taken.

    Raises:
      FileNotFoundError: the dataset is not prepared.
      TypeError: the name is not a string.
      ValueError: no dataset has this name, or it is of a different kind, incomplete or damaged.
    """
    builder = open_prepared(name, data_dir=data_dir)
    actions = len(builder.info.metadata["action_meanings"])
    counts = np.zeros(actions, np.int64)
    rows, places = [], []
    split = builder.info.splits["train"]
    with (
        reporting_damage(builder),
        progress.bar(
            desc=f"Reading {name.rpartition('/')[2]}",
            total=split.num_examples,
            unit=" episodes",
        ) as bar,
    ):
        for shard in range(split.num_shards):
            for episode in read_shard(builder, shard):
                columns = episode.unpack_columns()
                rows.append(row := episode.describe(columns))
                places.append((episode.shard, episode.record))
                counts += np.bincount(columns["action"][: row[2]], minlength=actions)
                bar.update()
    order = np.argsort([row[0] for row in rows])
    return Summary(builder, np.array(rows, EPISODE)[order], counts, np.array(places)[order])


def summarize_run(summary: Summary) -> list[Summary]:
    """Reads all datasets of the same game and run that are prepared in the same data_dir.

    Returns:
      Their summaries, in the order of their checkpoints, with the given one. If the whole run is
      among them, only that, since it has every episode.
    """
    metadata, data_dir = summary.metadata, summary.builder.data_path.parents[2]
    game = GAMES[metadata["game"]]
    found = {summary.name: summary}
    for split in sorted(SPLITS.values(), key=lambda split: not split.is_whole_run):
        name = Config(game, split, metadata["run"]).name
        folder = data_dir / "atari_replay" / name
        if name not in found and _is_prepared(folder):
            found[name] = summarize(f"atari_replay/{name}", data_dir=data_dir)
        if split.is_whole_run and name in found:
            return [found[name]]
    return sorted(found.values(), key=lambda summary: summary.metadata["checkpoints"])


def _is_prepared(folder: epath.Path) -> bool:
    versions = folder.iterdir() if folder.exists() else ()
    return any((version / "dataset_info.json").exists() for version in versions)
