"""`load_replay`: prepared datasets to random access."""

from __future__ import annotations

import functools
import itertools
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_datasets as tfds

from tfds_atari_replay import progress, schema
from tfds_atari_replay.configs import find_config
from tfds_atari_replay.games import Game
from tfds_atari_replay.logs.paths import is_remote
from tfds_atari_replay.prepared import opening
from tfds_atari_replay.prepared.reading import StoredEpisode, read_shard
from tfds_atari_replay.replay.cache import open_or_pack
from tfds_atari_replay.replay.joined import Joined
from tfds_atari_replay.replay.packed import Packed
from tfds_atari_replay.replay.replay import Replay

_FOLDER = "replay"


def load_replay(
    name: str | Sequence[str],
    *,
    split: str | tfds.core.ReadInstruction = "train",
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    builder_kwargs: dict[str, Any] | None = None,
    download_and_prepare_kwargs: dict[str, Any] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    full_action_space: bool | None = None,
) -> Replay:
    """Loads datasets for random access, without TensorFlow.

    The first call for a dataset packs its frames (see `replay.packed`), which takes seconds per
    million steps, and keeps the packed files. Later calls, in any process, compare their checksums,
    which reads every byte once, and map them into memory. Packed files belong to the content of a
    dataset: they can be copied with it, and are packed again if it changes.

    Example:
      ```python
      replay = tfds_atari_replay.load_replay("breakout_expert_v0")
      source = replay.transitions(stack_size=4, n_step=1, gamma=0.99)
      batch = source[[7, 1234, 7]]
      best = replay.select(replay.episodes["unclipped_return"] >= 18)
      ```

    Args:
      name: as for `tfds.load`, such as "atari_replay/breakout_expert_v0", or that of the config
        alone, "breakout_expert_v0"; or several of them.
      split: as for `tfds.load`, such as "train[:10%]"; the same for each dataset.
      data_dir: as for `tfds.load`.
      download: whether to prepare what is not prepared yet.
      builder_kwargs: as for `tfds.load`.
      download_and_prepare_kwargs: as for `tfds.load`, for example
        `{"download_config": tfds.download.DownloadConfig(manual_dir="LOGS")}`.
      cache_dir: a folder for the packed files, for example if the datasets are read-only; a
        dataset's go to `<cache_dir>/atari_replay/breakout_expert_v0/1.1.0/replay`. Without it they
        lie beside their dataset; if they cannot be written there, each process packs for itself.
      full_action_space: True for actions that index ALE's 18, `games.ALL_ACTIONS`; False for those
        of each game, as logged. Several games with different actions need one of the two.

    Returns:
      The episodes, to be read at random.

    Raises:
      FileNotFoundError: a dataset is not prepared, and download is False or there are no logs.
      TypeError: a name or the split is not a string.
      ValueError: a dataset is of a different kind, incomplete or damaged; datasets differ in
        their major version, or in their actions; the split has no episode, or one of them twice.
      OSError: `cache_dir` cannot be written.
    """
    given: Any = [name] if isinstance(name, str) or not isinstance(name, Iterable) else name
    names = tuple(map(opening.full_name, given))
    if not names:
        raise ValueError(f"Expected the name of a dataset, or several, got {name!r}.")
    if full_action_space not in (None, True, False):
        raise TypeError(
            f"full_action_space must be True, False or None (got {full_action_space!r})"
        )
    cache = None if cache_dir is None else pathlib.Path(cache_dir).expanduser().absolute()
    builder_kwargs = {"data_dir": data_dir, **(builder_kwargs or {})}
    builders = [opening.make_builder(name, **builder_kwargs) for name in names]
    for name, builder in zip(names, builders, strict=True):
        opening.check_features(name, builder)
    actions = _translate_actions(builders, full_action_space)
    builders = [
        _prepared(builder, download, download_and_prepare_kwargs or {}) for builder in builders
    ]
    versions = {builder.info.full_name: builder.version.major for builder in builders}
    if len(set(versions.values())) > 1:
        raise ValueError(f"Expected datasets of one major version, got {list(versions)}.")
    splits = [_find_split(split, builder) for builder in builders]
    parts = [_open(builder, cache) for builder in builders]
    is_in_split = np.concatenate(
        [_find_episodes(*each) for each in zip(splits, builders, parts, strict=True)]
    )
    if not is_in_split.any():
        raise ValueError(f"{', '.join(names)}: no episode is in the split {split!r}.")
    return Replay(
        names,
        Joined(tuple(parts), tuple(actions)).select(is_in_split),
        without_scores="\n".join(
            opening.explain_older(builder.data_path)
            for builder in builders
            if not schema.has_scores(builder.info.features)
        ),
    )


def _translate_actions(
    builders: list[Any], full_action_space: bool | None
) -> list[npt.NDArray[np.uint8] | None]:
    """Returns what the actions of each dataset become; None if they stay as they are.

    Raises:
      ValueError: games differ in their actions, and `full_action_space` is None.
    """
    games = [_game_of(builder) for builder in builders]
    actions = {game.actions: game for game in games}
    if len(actions) > 1 and full_action_space is None:
        known = "\n".join(f"  {game.name}: {', '.join(game.actions)}" for game in actions.values())
        raise ValueError(
            "These games have different actions, so the same number means different ones:\n"
            f"{known}\nGive full_action_space=True for ALE's 18 actions, or False for the actions "
            "as they were logged."
        )
    return [np.array(game.full_actions, np.uint8) if full_action_space else None for game in games]


def _game_of(builder: Any) -> Game:
    config = find_config(builder.info.config_name)
    if config is None:
        raise ValueError(f"Expected a dataset of atari_replay's own configs, got {builder.name}.")
    return config.game


def _prepared(builder: Any, download: bool, prepare_kwargs: Any) -> Any:
    # A builder of a pinned version can only read.
    if not download or not isinstance(builder, tfds.core.GeneratorBasedBuilder):
        opening.check_prepared(builder)
        return builder
    builder.download_and_prepare(**prepare_kwargs)
    return builder


def _open(builder: Any, cache_dir: pathlib.Path | None) -> Packed:
    """Maps the packed episodes of a whole dataset."""
    if is_remote(builder.data_path):
        raise ValueError(
            f"load_replay maps files into memory, so it needs a local copy of {builder.data_path}."
        )
    paths = _shards(builder)
    beside = pathlib.Path(builder.data_path).absolute()
    folder = (cache_dir / builder.info.full_name if cache_dir else beside) / _FOLDER
    with opening.reporting_damage(builder):
        return open_or_pack(
            folder,
            paths,
            functools.partial(_read, builder),
            may_be_temporary=cache_dir is None,
        )


def _shards(builder: Any) -> list[pathlib.Path]:
    return [pathlib.Path(path) for path in builder.info.splits["train"].filepaths]


def _read(builder: Any) -> Iterator[StoredEpisode]:
    split = builder.info.splits["train"]
    with progress.bar(
        desc=f"Packing {builder.info.full_name}", total=split.num_examples, unit=" episodes"
    ) as bar:
        for number in range(split.num_shards):
            for episode in read_shard(builder, number):
                yield episode
                bar.update()


def _find_split(split: Any, builder: Any) -> Any:
    """Finds a split, such as train[:10%], by the name that the user gave.

    Raises:
      TypeError: it is none of the kinds that TFDS has, or several.
      ValueError: it does not exist, or has an episode twice.
    """
    # The base class of TFDS's splits is not public, but all of them have this method.
    if not isinstance(split, str) and not hasattr(split, "to_absolute"):
        raise TypeError(f"split must be a single one, such as 'train[:10%]' (got {split!r})")
    found = builder.info.splits[split]
    parts = sorted((part.filename, part.skip, part.take) for part in found.file_instructions)
    for (name, skip, take), (next_name, next_skip, _) in itertools.pairwise(parts):
        if name == next_name and (take < 0 or skip + take > next_skip):
            raise ValueError(
                f"split must have each episode once (got {split!r}): its parts overlap, so write "
                "them so that one starts where the last ends, such as 'train[:50%]+train[50%:]'"
            )
    return found


def _find_episodes(split: Any, builder: Any, packed: Packed) -> npt.NDArray[np.bool_]:
    """Returns which episodes of a dataset are in a split, such as train[:10%], bool (E,)."""
    shard_of = {path.name: number for number, path in enumerate(_shards(builder))}
    spans = packed.spans
    is_in_split = np.zeros(len(spans), np.bool_)
    for part in split.file_instructions:
        take = part.examples_in_shard if part.take < 0 else part.take
        is_in_shard = spans["shard"] == shard_of[pathlib.Path(part.filename).name]
        record = spans["record"]
        is_in_split |= is_in_shard & (record >= part.skip) & (record < part.skip + take)
    return is_in_split
