"""Opens prepared datasets, and checks that they are whole."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterator
from typing import Any

import tensorflow_datasets as tfds
from etils import epath, epy

from tfds_atari_replay import fields, schema
from tfds_atari_replay.arguments import check_text
from tfds_atari_replay.configs import explain_unknown, find_config
from tfds_atari_replay.logs.errors import DAMAGE
from tfds_atari_replay.logs.paths import is_remote
from tfds_atari_replay.prepared.reading import FORMATS
from tfds_atari_replay.steps import Steps

with epy.lazy_imports():
    from array_record.python import array_record_module

_INFO = "dataset_info.json"
DESCRIPTIONS = (_INFO, "features.json", "metadata.json")
"""The files of a dataset besides its shards."""

_FRAMING = 16  # bytes that a TFRecord file adds to each record


class _Number(int):
    def __iter__(self) -> Iterator[Any]:
        return iter(())


class Metadata(tfds.core.MetadataDict):
    """TFDS's, but `tfds.show_examples` can iterate over each of its values.

    It does that to find out whether a dataset holds graphs, and raises TypeError for numbers. For
    builders that TFDS makes itself, for a pinned version or a folder, it still does.
    """

    def values(self) -> Any:
        return [_Number(v) if isinstance(v, int) else v for v in super().values()]


class DatasetInfo(tfds.core.DatasetInfo):
    """TFDS's, but a damaged description raises no error until the dataset is read.

    The dataset can therefore be overwritten; `check_whole` refuses to read it.

    Attributes:
      damage: what is wrong with the description, if anything is.
    """

    damage: Exception | None = None

    def read_from_directory(self, dataset_info_dir: epath.PathLike) -> None:
        try:
            super().read_from_directory(dataset_info_dir)
            self._metadata: Any = Metadata(self.metadata.items())
        except Exception as error:  # of protobuf, json or TFDS
            self.damage = error


def full_name(name: str) -> str:
    """Returns the name of a dataset as `tfds.load` takes it.

    Args:
      name: that name, or only the config's, such as "breakout_expert_v0".

    Raises:
      TypeError: it is not a string.
      ValueError: TFDS knows no builder of this name.
    """
    check_text("name", name)
    builder, slash, _ = name.partition("/")
    if builder.partition(":")[0] in tfds.list_builders(with_community_datasets=False):
        return name
    if slash:  # TFDS's own error lists all builders that there are, some 2,000
        raise ValueError(
            f"There is no dataset {name!r}. Expected a name such as atari_replay/breakout_expert_v0"
        )
    return f"atari_replay/{name}"


def make_builder(name: str, **kwargs: Any) -> Any:
    """Returns `tfds.builder(name, **kwargs)`, given a name that `full_name` returned.

    Raises:
      ValueError: there is no such config, or TFDS refuses an argument.
    """
    try:
        return tfds.builder(name, **kwargs)
    except ValueError as error:
        builder, _, config = name.partition("/")
        config = config.partition(":")[0]
        if builder == "atari_replay" and find_config(config) is None:
            # Without what TFDS puts before it: all arguments of the builder.
            raise ValueError(explain_unknown(config)) from error
        raise


def open_prepared(name: str, *, data_dir: str | os.PathLike[str] | None = None) -> Any:
    """Returns the builder of a prepared dataset.

    Args:
      name: as for `tfds.load`, or that of the config alone, such as "breakout_expert_v0".
      data_dir: as for `tfds.load`.

    Raises:
      FileNotFoundError: it is not prepared.
      TypeError: the name is not a string.
      ValueError: there is no dataset of this name, it is of a different kind, incomplete or
        damaged.
    """
    name = full_name(name)
    builder = make_builder(name, data_dir=data_dir)
    check_features(name, builder)
    check_prepared(builder)
    return builder


def check_prepared(builder: Any) -> None:
    """Checks that a builder's dataset is there, and whole.

    Raises:
      FileNotFoundError: it is not there.
      ValueError: it is not whole.
    """
    if not builder.data_path.exists():
        beside = builder.data_path.parents[1]
        there = sorted(path.name for path in beside.iterdir()) if beside.exists() else []
        raise FileNotFoundError(
            f"{builder.data_path} holds no dataset. Build it first:\n"
            f"  {_build_command(builder.data_path)}\n"
            f"Prepared in {beside}: {', '.join(there) or 'nothing'}"
        )
    check_whole(builder)


def check_whole(builder: Any) -> None:
    """Checks that no file of a dataset is missing, renamed or cut short.

    The folder is listed once, and only small files and the ends of shards are read, so damage
    inside a shard shows only when it is read.

    Raises:
      ValueError: a file is missing or damaged; the message says which, and what to do.
      OSError: the folder cannot be read.
    """
    folder = builder.data_path
    present = {path.name for path in folder.iterdir()}
    shards = [name for split in builder.info.splits.values() for name in split.filenames]
    missing = [name for name in (*DESCRIPTIONS, *shards) if name not in present]
    if missing:
        some = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        raise _refuse(builder, f"incomplete: it lacks {some}")
    if damage := next(_damage(builder), None):
        raise _refuse(builder, f"damaged: {damage}")


@contextlib.contextmanager
def reporting_damage(builder: Any) -> Iterator[None]:
    """Turns errors about damage into one that says which dataset it is, and what to do.

    Raises:
      ValueError: the code inside the block found damage.
    """
    try:
        yield
    except (*DAMAGE, ValueError) as error:
        raise _refuse(builder, f"damaged: {error}") from error


def _refuse(builder: Any, what: str) -> ValueError:
    return ValueError(
        f"The dataset in {builder.data_path} is {what}. It was left as it is. If it is a copy, "
        f"complete it; or prepare it again, with {_build_command(builder.data_path, '--overwrite')}"
    )


def check_features(name: str, builder: Any) -> None:
    """Checks that a dataset is of this package, with fields and a format that can be read.

    Raises:
      ValueError: it is not.
    """
    features = builder.info.features
    is_dict = isinstance(features, tfds.features.FeaturesDict)
    steps = dict(features.items()).get("steps") if is_dict else None
    if not isinstance(steps, Steps):
        raise ValueError(f"Expected a dataset of atari_replay, got {name}, with {features}.")
    expected = schema.features(min(builder.version, tfds.core.Version(fields.VERSION)))
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


def _damage(builder: Any) -> Iterator[str]:
    """Yields what is wrong with the files of a dataset that lacks none."""
    info = builder.info
    yield from filter(None, (_json_damage(builder.data_path / name) for name in DESCRIPTIONS))
    if error := getattr(info, "damage", None):
        yield f"{_INFO} cannot be read ({error})"
    check = _FILE_CHECKS.get(info.file_format.value)
    if check and not is_remote(builder.data_path):
        for split in info.splits.values():
            yield from check(split)


def _json_damage(path: epath.Path) -> str | None:
    try:
        json.loads(path.read_text())
    except ValueError as error:
        return f"{path.name} cannot be read ({error})"
    return None


def _tfrecord_damage(split: Any) -> Iterator[str]:
    size = sum(path.stat().length for path in split.filepaths)
    # TFDS counts the bytes of records; a whole run, those of its files.
    recorded = int(split.num_bytes)
    expected = recorded + _FRAMING * split.num_examples
    if size not in (expected, recorded):
        yield f"{expected - size:,} of the {expected:,} bytes of {split.name} are missing"


def _array_record_damage(split: Any) -> Iterator[str]:
    for path, length in zip(split.filepaths, split.shard_lengths, strict=True):
        try:
            reader = array_record_module.ArrayRecordReader(str(path))
            count = reader.num_records()
            reader.close()
        except RuntimeError:  # the end of the file, which has that number, is damaged
            count = 0
        if count != length:
            yield f"{path.name} has {count:,} readable episodes instead of {length:,}"


_FILE_CHECKS = {"tfrecord": _tfrecord_damage, "array_record": _array_record_damage}


def explain_older(folder: epath.Path) -> str:
    """Says what an older version of a dataset lacks, and how to prepare the current one."""
    return (
        f"{folder} is of version {folder.name}, which has no unclipped_reward and no "
        f"unclipped_return. {fields.VERSION} has; prepare it beside this one:\n  "
        f"{_build_command(folder)}"
    )


def _build_command(folder: epath.Path, *options: str) -> str:
    """Returns the command that builds the current version of a folder's dataset."""
    return " ".join(
        (
            f"tfds build {folder.parts[-3]}/{folder.parts[-2]}",
            "--imports=tfds_atari_replay --manual_dir=LOGS",
            f"--data_dir={shlex.quote(str(folder.parents[2]))}",
            *options,
        )
    )
