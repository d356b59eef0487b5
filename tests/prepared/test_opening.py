"""Prepared datasets are opened if they are whole; else the message says what to do."""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.datasets import DUMMY_DATA, build

from tfds_atari_replay import schema
from tfds_atari_replay.fields import VERSION
from tfds_atari_replay.logs.errors import DamageError
from tfds_atari_replay.prepared import opening
from tfds_atari_replay.prepared.opening import open_prepared
from tfds_atari_replay.steps import Steps

EXPERT = "breakout_expert_v0"


@pytest.fixture(params=["tfrecord", "array_record"])
def file_format(request: pytest.FixtureRequest) -> str:
    """A format of TFDS."""
    return str(request.param)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A data_dir for each format."""
    top = tmp_path_factory.mktemp("prepared")
    for file_format in ("tfrecord", "array_record"):
        build(EXPERT, DUMMY_DATA, top / file_format, file_format=file_format)
    return top


@pytest.fixture
def folder(prepared: pathlib.Path, file_format: str, tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder of a dataset in tmp_path that a test may damage."""
    shutil.copytree(prepared / file_format, tmp_path, dirs_exist_ok=True)
    return tmp_path / "atari_replay" / EXPERT / VERSION


@pytest.mark.parametrize(
    ("name", "full"),
    [
        (EXPERT, f"atari_replay/{EXPERT}"),
        (f"{EXPERT}:1.1.0", f"atari_replay/{EXPERT}:1.1.0"),
        (f"atari_replay/{EXPERT}", f"atari_replay/{EXPERT}"),
        ("atari_replay", "atari_replay"),
        ("atari_replay:1.1.0", "atari_replay:1.1.0"),
        ("mnist", "mnist"),
    ],
)
def test_full_names(name: str, full: str) -> None:
    assert opening.full_name(name) == full


def test_names_that_there_are_not() -> None:
    """The message does not list TFDS's 2,000 builders, or all arguments of ours."""
    with pytest.raises(ValueError, match=r"^There is no dataset 'atari/pong'. Expected a name"):
        opening.full_name("atari/pong")
    with pytest.raises(ValueError, match=r"^Unknown config 'pong_exprt_v0'.*Did you mean pong_exp"):
        opening.make_builder("atari_replay/pong_exprt_v0:1.1.0")
    with pytest.raises(TypeError, match=r"name must be a string \(got 3\)"):
        open_prepared(3)  # type: ignore[arg-type]


def test_a_whole_dataset_is_opened(folder: pathlib.Path, file_format: str) -> None:
    builder = open_prepared(EXPERT, data_dir=folder.parents[2])
    assert str(builder.data_path) == str(folder)
    assert builder.info.file_format.value == file_format
    assert builder.info.splits["train"].num_examples == 3


@pytest.mark.parametrize("there", [[], ["breakout_mixed_v0", "pong_expert_v0"]])
def test_nothing_prepared(there: list[str], tmp_path: pathlib.Path) -> None:
    """The message has the command to paste, and what is prepared instead."""
    beside = tmp_path / "a b" / "atari_replay"
    builder = opening.make_builder(f"atari_replay/{EXPERT}", data_dir=tmp_path / "a b")
    for config in there:
        (beside / config).mkdir(parents=True)
    with pytest.raises(FileNotFoundError) as error:
        opening.check_prepared(builder)
    assert str(error.value).splitlines() == [
        f"{beside / EXPERT / VERSION} holds no dataset. Build it first:",
        f"  tfds build atari_replay/{EXPERT} --imports=tfds_atari_replay --manual_dir=LOGS "
        f"--data_dir='{tmp_path / 'a b'}'",
        f"Prepared in {beside}: {', '.join(there) or 'nothing'}",
    ]


def test_missing_files(folder: pathlib.Path) -> None:
    """The message names three of them."""
    (shard,) = folder.glob("*-train.*")
    shard.unlink()
    with pytest.raises(ValueError, match=rf"incomplete: it lacks {shard.name}\. It was left as"):
        open_prepared(EXPERT, data_dir=folder.parents[2])
    for name in ("features.json", "metadata.json"):
        (folder / name).unlink()
    builder = opening.make_builder(f"atari_replay/{EXPERT}", data_dir=folder.parents[2])
    with pytest.raises(ValueError, match=r"lacks features.json, metadata.json, .*train\.\S+\. It"):
        opening.check_whole(builder)
    (folder / "dataset_info.json").unlink()
    with pytest.raises(ValueError, match=r"features.json, metadata.json and 1 more\. It"):
        opening.check_whole(builder)


@pytest.mark.parametrize("name", opening.DESCRIPTIONS)
def test_damaged_descriptions(folder: pathlib.Path, name: str) -> None:
    (folder / name).write_text((folder / name).read_text()[:-2])
    with pytest.raises(ValueError, match=rf"is damaged: {name} cannot be read \(.*--overwrite"):
        open_prepared(EXPERT, data_dir=folder.parents[2])


def test_a_description_of_something_else(folder: pathlib.Path) -> None:
    (folder / "dataset_info.json").write_text('{"version": 3}')
    builder = opening.make_builder(f"atari_replay/{EXPERT}", data_dir=folder.parents[2])
    with pytest.raises(ValueError, match=r"is damaged: dataset_info.json cannot be read \(.*vers"):
        opening.check_prepared(builder)


def test_a_shard_that_is_cut_short(folder: pathlib.Path, file_format: str) -> None:
    (shard,) = folder.glob("*-train.*")
    data = shard.read_bytes()
    shard.write_bytes(data[:-7])
    said = {
        "tfrecord": rf"7 of the {len(data):,} bytes of train are missing",
        "array_record": rf"{shard.name} has 0 readable episodes instead of 3",
    }[file_format]
    with pytest.raises(ValueError, match=rf"The dataset in {folder} is damaged: {said}"):
        open_prepared(EXPERT, data_dir=folder.parents[2])


@pytest.mark.parametrize("file_format", ["tfrecord"], indirect=True)
@pytest.mark.parametrize("name", [EXPERT, f"{EXPERT}:{VERSION}"])
def test_a_shard_beside_converted_files(folder: pathlib.Path, name: str) -> None:
    """TFDS adds files of a different format, and leaves those of the first as they are."""
    path = folder / "dataset_info.json"
    info = {**json.loads(path.read_text()), "alternativeFileFormats": ["array_record"]}
    path.write_text(json.dumps(info))
    open_prepared(name, data_dir=folder.parents[2])
    (shard,) = folder.glob("*-train.*")
    shard.write_bytes(shard.read_bytes()[:-7])
    with pytest.raises(ValueError, match="bytes of train are missing"):
        open_prepared(name, data_dir=folder.parents[2])


@pytest.mark.parametrize("error", [DamageError("no action"), EOFError("no end"), ValueError("bad")])
def test_damage_is_reported_with_its_folder(expert: Any, error: Exception) -> None:
    message = rf"{expert.data_path} is damaged: {error}\. .*--overwrite"
    with pytest.raises(ValueError, match=message), opening.reporting_damage(expert):
        raise error
    with pytest.raises(KeyError), opening.reporting_damage(expert):
        raise KeyError("ours")


class Other(tfds.core.GeneratorBasedBuilder):
    """Not one of ours."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> Any:
        features = tfds.features.FeaturesDict({"steps": tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, _: Any) -> Any:
        raise NotImplementedError

    def _generate_examples(self) -> Any:
        raise NotImplementedError


class SmallFrames(Other):
    """Steps, but of smaller frames."""

    def _info(self) -> Any:
        fields = dict(schema.features("1.0.0")["steps"].feature)
        fields["observation"] = tfds.features.Tensor(shape=(10, 10, 1), dtype=np.uint8)
        features = tfds.features.FeaturesDict({"steps": Steps(fields)})
        return tfds.core.DatasetInfo(builder=self, features=features)


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (Other, r"Expected a dataset of atari_replay, got other, with .*Text"),
        (SmallFrames, r"small_frames: expected steps with .*84, 84, 1.*got .*10, 10, 1"),
    ],
)
def test_datasets_of_a_different_kind(builder: Any, message: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=rf"(?s){message}"):
        opening.check_features(builder.name, builder(data_dir=str(tmp_path)))


def test_a_format_that_is_not_read(tmp_path: pathlib.Path) -> None:
    builder = tfds.builder(f"atari_replay/{EXPERT}", data_dir=tmp_path, file_format="riegeli")
    expected = r"x is stored as riegeli; expected one of \['array_record', 'tfrecord'\]"
    with pytest.raises(ValueError, match=expected):
        opening.check_features("x", builder)


def test_a_damaged_description_makes_a_builder_all_the_same(folder: pathlib.Path) -> None:
    """Without it, the dataset could not be overwritten."""
    (folder / "dataset_info.json").write_text("{")
    builder = opening.make_builder(f"atari_replay/{EXPERT}", data_dir=folder.parents[2])
    assert "Failed to load JSON" in str(builder.info.damage)
    assert str(builder.data_path) == str(folder)


def test_tfds_can_look_into_numbers() -> None:
    """`tfds.show_examples` iterates over the values of metadata."""
    run, game = opening.Metadata(run=3, game="Pong").values()
    assert (run, list(run), game) == (3, [], "Pong")


def test_what_an_older_version_lacks(prepared: pathlib.Path) -> None:
    builder = open_prepared(EXPERT, data_dir=prepared / "tfrecord")
    assert opening.explain_older(builder.data_path.parent / "1.0.0").splitlines() == [
        f"{builder.data_path.parent}/1.0.0 is of version 1.0.0, which has no unclipped_reward and "
        f"no unclipped_return. {VERSION} has; prepare it beside this one:",
        f"  tfds build atari_replay/{EXPERT} --imports=tfds_atari_replay --manual_dir=LOGS "
        f"--data_dir={prepared / 'tfrecord'}",
    ]
