"""`load_replay`: prepared datasets to random access."""

from __future__ import annotations

import functools
import importlib.util
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow_datasets as tfds
import tqdm

from tfds_atari_replay import schema
from tfds_atari_replay.logs.paths import is_remote
from tfds_atari_replay.replay.cache import open_or_pack, stamp_of
from tfds_atari_replay.replay.packed import Packed, join
from tfds_atari_replay.replay.packing import StoredEpisode
from tfds_atari_replay.replay.reading import FORMATS, read_shard, reporting_damage
from tfds_atari_replay.replay.replay import Replay
from tfds_atari_replay.steps import Steps

_FOLDER = "replay"


def load_replay(
    name: str | Sequence[str],
    *,
    split: Any = "train",
    data_dir: Any = None,
    download: bool = True,
    builder_kwargs: dict[str, Any] | None = None,
    download_and_prepare_kwargs: dict[str, Any] | None = None,
) -> Replay:
    """Loads datasets for random access, without TensorFlow.

    The first call for a dataset packs its frames (see `replay.packed`), which takes seconds, and
    keeps them beside it. Later calls, in any process, map those files into memory at once.

    Args:
      name: as for `tfds.load`, such as "atari_replay/breakout_expert_v0", or several of them.
      split: as for `tfds.load`, such as "train[:10%]"; the same of each dataset.
      data_dir: as for `tfds.load`.
      download: whether to prepare what is not prepared yet. Without TensorFlow, datasets are
        prepared as array_record, which tf.data cannot read.
      builder_kwargs: as for `tfds.load`.
      download_and_prepare_kwargs: as for `tfds.load`, for example
        `{"download_config": tfds.download.DownloadConfig(manual_dir="LOGS")}`.

    Raises:
      FileNotFoundError: a dataset is not prepared, and download is False.
      ValueError: a dataset is of a different kind or damaged; datasets differ in version; there is
        no episode.
    """
    names = (name,) if isinstance(name, str) else tuple(name)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"Expected the name of a dataset, or several, got {name!r}.")
    builders = [
        _prepared(name, data_dir, download, builder_kwargs or {}, download_and_prepare_kwargs or {})
        for name in names
    ]
    versions = {builder.info.full_name: str(builder.version) for builder in builders}
    if len(set(versions.values())) > 1:
        raise ValueError(f"Expected datasets of one version, got {versions}.")
    splits = [builder.info.splits[split] for builder in builders]
    parts = [_open(builder) for builder in builders]
    chosen, start = [], 0
    for builder, some, part in zip(builders, splits, parts, strict=True):
        chosen.append(start + _episodes_in(some, builder, part))
        start += len(part.episodes)
    replay = Replay(
        names,
        join(parts),
        dataset=np.repeat(np.arange(len(parts)), [len(part.episodes) for part in parts]),
        chosen=np.concatenate(chosen),
    )
    if not len(replay.chosen):
        raise ValueError(f"{', '.join(names)}: no episode is in the split {split!r}.")
    return replay


def _prepared(
    name: str, data_dir: Any, download: bool, builder_kwargs: Any, prepare_kwargs: Any
) -> Any:
    builder = tfds.builder(name, data_dir=data_dir, **builder_kwargs)
    check_features(name, builder)
    if not builder.is_prepared():
        if not download:
            where = f" --data_dir={data_dir}" if data_dir else ""
            raise FileNotFoundError(
                f"{name} is not prepared in {builder.data_path}. Prepare it with\n"
                f"  tfds build {name} --imports=tfds_atari_replay --manual_dir=LOGS{where}\n"
                "or let load_replay do it: download=True."
            )
        if "file_format" not in builder_kwargs and not importlib.util.find_spec("tensorflow"):
            # TFDS needs TensorFlow to write TFRecords.
            builder_kwargs = {**builder_kwargs, "file_format": "array_record"}
            builder = tfds.builder(name, data_dir=data_dir, **builder_kwargs)
        builder.download_and_prepare(**prepare_kwargs)
    return builder


def check_features(name: str, builder: Any) -> None:
    """Checks that a builder is of this package and stores what can be read here.

    Raises:
      ValueError: it does not.
    """
    features, expected = builder.info.features, schema.features()
    is_dict = isinstance(features, tfds.features.FeaturesDict)
    steps = dict(features.items()).get("steps") if is_dict else None
    if not isinstance(steps, Steps):
        raise ValueError(f"Expected a dataset of atari_replay, got {name}, with {features}.")
    got, wanted = (dict(one.feature.get_tensor_info()) for one in (steps, expected["steps"]))
    different = {field: got.get(field) for field in wanted if got.get(field) != wanted[field]}
    if different:
        wanted = {field: wanted[field] for field in different}
        raise ValueError(f"{name}: expected steps with {wanted}, got {different}.")
    if builder.info.file_format.value not in FORMATS:
        raise ValueError(
            f"{name} is stored as {builder.info.file_format.value}; expected one of "
            f"{sorted(FORMATS)}. Prepare it in one of these."
        )


def _open(builder: Any) -> Packed:
    """Maps the packed episodes of a whole dataset."""
    if is_remote(builder.data_path):
        raise ValueError(
            f"load_replay maps files into memory, so it needs a local copy of {builder.data_path}."
        )
    paths = _shards(builder)
    folder = pathlib.Path(builder.data_path) / _FOLDER
    with reporting_damage(builder.data_path):
        return open_or_pack(folder, stamp_of(paths), functools.partial(_read, builder, paths))


def _shards(builder: Any) -> list[pathlib.Path]:
    return [pathlib.Path(path) for path in builder.info.splits["train"].filepaths]


def _read(builder: Any, paths: list[pathlib.Path]) -> Iterator[StoredEpisode]:
    file_format = builder.info.file_format.value
    with tqdm.tqdm(
        desc=f"Packing {builder.info.full_name}",
        total=builder.info.splits["train"].num_examples,
        unit=" episodes",
    ) as bar:
        for number, path in enumerate(paths):
            for episode in read_shard(path, number, file_format):
                yield episode
                bar.update()


def _episodes_in(split: Any, builder: Any, packed: Packed) -> npt.NDArray[np.int64]:
    """Finds the episodes of a split, such as train[:10%], among those of their dataset."""
    shard_of = {path.name: number for number, path in enumerate(_shards(builder))}
    places = packed.places
    is_in_split = np.zeros(len(places), np.bool_)
    for part in split.file_instructions:
        take = part.examples_in_shard if part.take < 0 else part.take
        is_in_shard = places["shard"] == shard_of[pathlib.Path(part.filename).name]
        record = places["record"]
        is_in_split |= is_in_shard & (record >= part.skip) & (record < part.skip + take)
    return np.flatnonzero(is_in_split)
