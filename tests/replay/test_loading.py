"""What load_replay takes, and what it refuses."""

from __future__ import annotations

import logging
import pathlib
import pickle
import shutil
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, build
from helpers.processes import run_python, unprivileged
from helpers.steps import UNDECODED
from helpers.transitions import assert_same, count_transitions, in_batches

from tfds_atari_replay import find_game, load_replay, transitions
from tfds_atari_replay.fields import VERSION
from tfds_atari_replay.games import ALL_ACTIONS
from tfds_atari_replay.replay import cache
from tfds_atari_replay.replay.packed import STORED

EXPERT, MIXED = "atari_replay/breakout_expert_v0", "atari_replay/breakout_mixed_v0"
MANUAL = {"download_config": tfds.download.DownloadConfig(manual_dir=str(DUMMY_DATA))}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with two datasets, one of which has several shards."""
    folder = tmp_path_factory.mktemp("two")
    build("breakout_expert_v0", DUMMY_DATA, folder)
    builder = tfds.builder(MIXED, data_dir=str(folder))
    config = tfds.download.DownloadConfig(manual_dir=str(DUMMY_DATA), num_shards=3)
    builder.download_and_prepare(download_config=config)
    return folder


def of_the_transform(name: str, data_dir: pathlib.Path, split: str = "train") -> Any:
    """The transitions of the tf.data lane, counted."""
    dataset = tfds.load(name, split=split, data_dir=data_dir, decoders=UNDECODED)
    return count_transitions(tfds.as_numpy(dataset.apply(transitions(batch_size=256))))


@pytest.mark.parametrize(
    "split",
    cases("train[1shard]", "train[:2]+train[9:]", slow=["train", "train[:3]", "train[50%:]"]),
)
def test_slices_are_those_of_tfds(data_dir: pathlib.Path, split: str) -> None:
    source = load_replay(MIXED, split=split, data_dir=data_dir, download=False).transitions()
    assert count_transitions(in_batches(source)) == of_the_transform(MIXED, data_dir, split)


def test_several_datasets(data_dir: pathlib.Path) -> None:
    """One after the other; where they are from is in `episodes`."""
    replay = load_replay([MIXED, EXPERT], data_dir=data_dir)
    both = of_the_transform(MIXED, data_dir) + of_the_transform(EXPERT, data_dir)
    assert count_transitions(in_batches(replay.transitions())) == both
    alone = load_replay(EXPERT, data_dir=data_dir)
    selected = replay.select(replay.episodes["dataset"] == 1)
    assert_same(selected.transitions()[:], alone.transitions()[:])
    with pytest.raises(ValueError, match=r"ids are ambiguous in a replay of several datasets"):
        replay.select([0])


def test_array_record_holds_the_same(data_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """What is not prepared is prepared, with tfds.load's keywords."""
    replay = load_replay(
        EXPERT,
        data_dir=tmp_path,
        builder_kwargs={"file_format": "array_record"},
        download_and_prepare_kwargs=MANUAL,
    )
    assert list(tmp_path.rglob("*.array_record*"))
    expected = load_replay(EXPERT, data_dir=data_dir)
    assert_same(replay.transitions()[:], expected.transitions()[:])


def test_a_pinned_version(data_dir: pathlib.Path) -> None:
    """TFDS then makes a builder that knows nothing of ours."""
    replay = load_replay(f"{EXPERT}:{VERSION}", data_dir=data_dir)
    assert len(replay.transitions()) == len(load_replay(EXPERT, data_dir=data_dir).transitions())


def test_no_tensorflow(data_dir: pathlib.Path) -> None:
    code = f"""
import sys
from tfds_atari_replay import load_replay
replay = load_replay("{MIXED}", data_dir="{data_dir}")
replay.transitions()[[3, 4]], replay.sequences(5)[[3, 4]]
print("tensorflow" in sys.modules)
"""
    assert run_python(code) == "False\n"


def test_a_build_again_is_packed_again(tmp_path: pathlib.Path) -> None:
    """With other logs under the same name, nothing old is left."""
    build("breakout_mixed_v0", DUMMY_DATA, tmp_path)
    before = len(load_replay(MIXED, data_dir=tmp_path).transitions())
    logs = tmp_path / "logs" / "Breakout" / "1" / "replay_logs"
    shutil.copytree(DUMMY_DATA / "Breakout" / "5" / "replay_logs", logs)
    config = tfds.download.DownloadConfig(
        manual_dir=str(tmp_path / "logs"), download_mode=tfds.GenerateMode.REUSE_CACHE_IF_EXISTS
    )
    tfds.builder(MIXED, data_dir=str(tmp_path)).download_and_prepare(download_config=config)
    source = load_replay(MIXED, data_dir=tmp_path).transitions()
    assert len(source) != before
    assert count_transitions(in_batches(source)) == of_the_transform(MIXED, tmp_path)


def test_not_prepared(tmp_path: pathlib.Path) -> None:
    """The line to paste is in the message."""
    line = (
        f"tfds build {EXPERT} --imports=tfds_atari_replay --manual_dir=LOGS --data_dir={tmp_path}"
    )
    with pytest.raises(FileNotFoundError) as error:
        load_replay(EXPERT, data_dir=tmp_path, download=False)
    assert line in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": []}, r"Expected the name of a dataset, or several, got \[\]"),
        ({"name": "atari_replay/breakot_expert_v0"}, r"Did you mean breakout_expert_v0"),
        ({"name": EXPERT, "split": "test"}, r"test"),
        ({"name": EXPERT, "split": "train[:0]"}, r"no episode is in the split 'train\[:0\]'"),
        ({"name": "breakot_expert_v0"}, r"Did you mean breakout_expert_v0"),
        ({"name": "breakout"}, r"Unknown config 'breakout'"),
        ({"name": MIXED, "split": "train[:50%]+train[25%:]"}, r"split must have each episode once"),
        (
            {"name": MIXED, "split": "train+train"},
            r"once \(got 'train\+train'\): .* such as 'train\[",
        ),
    ],
)
def test_bad_arguments(data_dir: pathlib.Path, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_replay(**arguments, data_dir=data_dir)


def test_other_datasets_are_refused_before_they_are_prepared(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"Expected a dataset of atari_replay, got mnist"):
        load_replay("mnist", data_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_datasets_of_different_versions(data_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "atari_replay" / "breakout_expert_v0"
    shutil.copytree(data_dir / "atari_replay" / "breakout_expert_v0" / VERSION, folder / "2.0.0")
    info = folder / "2.0.0" / "dataset_info.json"
    info.write_text(info.read_text().replace(f'"{VERSION}"', '"2.0.0"'))
    shutil.copytree(data_dir / "atari_replay" / "breakout_expert_v0" / VERSION, folder / VERSION)
    with pytest.raises(ValueError, match=r"datasets of one major version, got .*1\.1\.0.*2\.0\.0"):
        load_replay([f"{EXPERT}:{VERSION}", f"{EXPERT}:2.0.0"], data_dir=tmp_path)


def test_damaged_datasets(data_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Every bit counts, in whatever part of a shard."""
    shutil.copytree(data_dir / "atari_replay", tmp_path / "atari_replay")
    (shard,) = tmp_path.rglob("*expert*/*/*train.tfrecord*")
    whole = shard.read_bytes()
    for place in [*range(12), *np.random.default_rng(0).integers(len(whole), size=40).tolist()]:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        shard.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"The dataset in .* is damaged: .*--overwrite"):
            load_replay(EXPERT, data_dir=tmp_path)
    for length in (len(whole) - 1, len(whole) // 2, 5):
        shard.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"is damaged: .*missing"):
            load_replay(EXPERT, data_dir=tmp_path)
    shard.write_bytes(whole)
    assert len(load_replay(EXPERT, data_dir=tmp_path).transitions()) == 1489


def test_a_folder_that_cannot_be_written(
    data_dir: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Works all the same, and says so once."""
    shutil.copytree(data_dir / "atari_replay", tmp_path / "atari_replay")
    for folder in list(tmp_path.rglob("replay")):
        shutil.rmtree(folder)
        folder.with_name("replay.lock").unlink()
    for path in tmp_path.rglob("*"):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    expected = count_transitions(in_batches(load_replay(EXPERT, data_dir=data_dir).transitions()))
    cache._warn_unwritable.cache_clear()
    with unprivileged(tmp_path / "atari_replay"), caplog.at_level(logging.WARNING):
        for _ in range(2):
            source = load_replay(EXPERT, data_dir=tmp_path).transitions()
            assert count_transitions(in_batches(source)) == expected
    said = [record.message for record in caplog.records if "cannot be written" in record.message]
    assert len(said) == 1
    assert "replay: not packed yet. That folder cannot be written" in said[0]
    assert "cache_dir" in said[0]
    assert not list(tmp_path.rglob("replay*"))


def test_packed_files_elsewhere(
    data_dir: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In a cache_dir, made if need be, relative or not; nothing is written beside the dataset."""
    shutil.copytree(
        data_dir / "atari_replay",
        tmp_path / "data" / "atari_replay",
        ignore=shutil.ignore_patterns("replay*"),
    )
    before = sorted((tmp_path / "data").rglob("*"))
    expected = count_transitions(in_batches(load_replay(EXPERT, data_dir=data_dir).transitions()))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        source = load_replay(EXPERT, data_dir="data", cache_dir="a/cache").transitions()
    assert count_transitions(in_batches(source)) == expected
    folder = tmp_path / "a/cache" / EXPERT / VERSION / "replay"
    packed = {path.name: path.stat().st_ino for path in folder.iterdir()}
    assert set(packed) == {f"{name}.npy" for name in STORED} | {"meta.json"}
    assert len(pickle.loads(pickle.dumps(source))) == len(source)
    load_replay(EXPERT, data_dir=tmp_path / "data", cache_dir=tmp_path / "a/cache")
    assert {path.name: path.stat().st_ino for path in folder.iterdir()} == packed
    assert sorted((tmp_path / "data").rglob("*")) == before
    assert not [record for record in caplog.records if "atari_replay.replay" in record.name]


def test_a_cache_dir_that_cannot_be_written(data_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Whoever asks for one wants it, so it is no reason to pack into a temporary folder."""
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file"):
        load_replay(EXPERT, data_dir=data_dir, cache_dir=tmp_path / "file")
    shutil.copytree(data_dir, tmp_path / "data")
    for path in (tmp_path / "data", tmp_path / "cache"):
        path.mkdir(exist_ok=True)
        path.chmod(0o555)
    with unprivileged(tmp_path / "data"), pytest.raises(PermissionError, match=r"cache"):
        load_replay(EXPERT, data_dir=tmp_path / "data", cache_dir=tmp_path / "cache")


def test_a_dataset_copied_without_its_times(
    data_dir: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As `cp -r` and archives copy it, read-only at that: nothing is packed again."""
    load_replay([MIXED, EXPERT], data_dir=data_dir)
    shutil.copytree(data_dir, tmp_path / "copy", copy_function=shutil.copyfile)
    for path in [tmp_path / "copy", *(tmp_path / "copy").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with unprivileged(tmp_path / "copy"):
        copy = load_replay([MIXED, EXPERT], data_dir=tmp_path / "copy")
    expected = load_replay([MIXED, EXPERT], data_dir=data_dir)
    assert_same(copy.transitions()[:], expected.transitions()[:])
    assert not [record for record in caplog.records if "atari_replay.replay" in record.name]


@pytest.mark.parametrize("name", ["breakout_expert_v0", f"breakout_expert_v0:{VERSION}", [EXPERT]])
def test_a_name_without_its_builder(data_dir: pathlib.Path, name: Any) -> None:
    replay = load_replay(name, data_dir=data_dir)
    assert replay.names[0].partition(":")[0] == EXPERT
    np.testing.assert_array_equal(replay.episodes, load_replay(EXPERT, data_dir=data_dir).episodes)


@pytest.fixture(scope="module")
def two_games(data_dir: pathlib.Path) -> list[str]:
    """Breakout, whose actions are NOOP FIRE RIGHT LEFT, and Asterix: NOOP UP RIGHT LEFT ..."""
    build("asterix_epoch_1_v0", DUMMY_DATA, data_dir)
    return [EXPERT, "asterix_epoch_1_v0"]


def test_games_with_different_actions(two_games: list[str], data_dir: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"(?s)different actions.*Breakout: NOOP, FIRE, RIGHT"):
        load_replay(two_games, data_dir=data_dir)
    load_replay([EXPERT, MIXED], data_dir=data_dir)  # the same game
    with pytest.raises(
        TypeError, match=r"full_action_space must be True, False or None .got 'yes'"
    ):
        load_replay(two_games, data_dir=data_dir, full_action_space="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["transitions", "sequences"])
def test_actions_of_all_games(two_games: list[str], data_dir: pathlib.Path, kind: str) -> None:
    """Their names stay what they were; all else is as it is without."""

    def load(names: Any, full_action_space: bool | None) -> Any:
        replay = load_replay(names, data_dir=data_dir, full_action_space=full_action_space)
        source = replay.sequences(5) if kind == "sequences" else replay.transitions()
        return source[np.arange(0, len(source), 7)]

    logged, full = load(two_games, False), load(two_games, True)
    count = len(load_replay(EXPERT, data_dir=data_dir).transitions()[::7]["action"])
    assert set(logged) == set(full)
    for name in set(full) - {"action"}:
        np.testing.assert_array_equal(full[name], logged[name])
    for game, some in (("breakout", slice(count - 10)), ("asterix", slice(count + 10, None))):
        names = np.array(find_game(game).actions)[logged["action"][some]]
        np.testing.assert_array_equal(np.array(ALL_ACTIONS)[full["action"][some]], names)
        assert len(np.unique(names)) > 3
    alone = load(EXPERT, True)["action"]
    np.testing.assert_array_equal(alone[:100], full["action"][:100])
