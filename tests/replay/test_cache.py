"""What is packed beside a dataset is whole and of that dataset, or packed again."""

from __future__ import annotations

import json
import os
import pathlib
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from etils import epath
from helpers.replays import transitions_of, write_shard
from helpers.steps import FEATURES, make_all

from tfds_atari_replay.prepared.reading import read_file
from tfds_atari_replay.replay import cache, packed
from tfds_atari_replay.replay.packed import STORED, Packed

EPISODES = make_all([(70, True, True), (3, True, True), (200, True, False)])
ARRAYS = [f"{name}.npy" for name in STORED]


class Dataset:
    """A shard, packed in a folder beside it; counts how often."""

    def __init__(self, folder: pathlib.Path):
        self.shard = folder / "shard"
        self.folder = folder / "replay"
        self.times = 0
        write_shard(self.shard, EPISODES)
        self.open()
        assert self.times == 1

    def _read(self) -> Any:
        self.times += 1
        return read_file(epath.Path(self.shard), 0, "tfrecord", FEATURES)

    def open(self) -> Packed:
        """What load_replay does."""
        return cache.open_or_pack(self.folder, [self.shard], self._read)


@pytest.fixture
def dataset(tmp_path: pathlib.Path) -> Dataset:
    """Packed once."""
    return Dataset(tmp_path)


def test_the_next_process_maps_what_is_there(dataset: Dataset) -> None:
    dataset.open()
    assert dataset.times == 1


def _cut(path: pathlib.Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _flip(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    data[random.Random(0).randrange(len(data))] ^= 16
    path.write_bytes(data)


def _replace_with_foreign(path: pathlib.Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(9))


@pytest.mark.parametrize("damage", [_cut, _flip, _replace_with_foreign, pathlib.Path.unlink])
@pytest.mark.parametrize("name", [*ARRAYS, "meta.json"])
def test_damage_is_noticed(dataset: Dataset, name: str, damage: Any) -> None:
    expected = transitions_of(dataset.open())
    damage(dataset.folder / name)
    assert transitions_of(dataset.open()) == expected
    assert dataset.times == 2


@pytest.mark.parametrize(
    "meta", ["", "[]", "{}", '{"format": 1}', '{"format": 0, "dataset": [], "files": {}}', "\0"]
)
def test_foreign_descriptions_are_noticed(dataset: Dataset, meta: str) -> None:
    (dataset.folder / "meta.json").write_text(meta)
    dataset.open()
    assert dataset.times == 2


def test_files_of_another_dataset_are_noticed(dataset: Dataset, tmp_path: pathlib.Path) -> None:
    """Whole files with a whole description, but of another dataset."""
    (tmp_path / "other").mkdir()
    other = Dataset(tmp_path / "other")
    write_shard(other.shard, EPISODES[:1])
    expected = transitions_of(other.open())
    shutil.rmtree(dataset.folder)
    shutil.copytree(other.folder, dataset.folder)
    assert transitions_of(dataset.open()) != expected
    assert dataset.times == 2


def test_a_dataset_that_changed_is_packed_again(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    """Even if its size stays; and it says why."""
    size = dataset.shard.stat().st_size
    write_shard(dataset.shard, EPISODES[::-1])
    assert dataset.shard.stat().st_size == size
    dataset.open()
    assert dataset.times == 2
    assert "the dataset has changed since: shard is different. Packing again." in caplog.text


def test_a_copy_of_a_dataset_brings_its_packed_files(
    dataset: Dataset, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Like one that was unpacked from an archive, it has other times."""
    expected = transitions_of(dataset.open())
    shutil.copytree(tmp_path, tmp_path / "copy", copy_function=shutil.copyfile)
    dataset.shard, dataset.folder = tmp_path / "copy" / "shard", tmp_path / "copy" / "replay"
    os.utime(dataset.shard, ns=(1, 1))
    copy = dataset.open()
    assert transitions_of(copy) == expected
    assert transitions_of(pickle.loads(pickle.dumps(copy))) == expected
    # Its content is compared only once, since its time is noted.
    with monkeypatch.context() as patch:
        read: list[str] = []
        describe = cache._describe

        def note(path: pathlib.Path) -> Any:
            read.append(path.name)
            return describe(path)

        patch.setattr(cache, "_describe", note)
        dataset.open()
    assert "shard" not in read
    assert set(read) == set(ARRAYS)
    assert dataset.times == 1
    assert {path.name for path in dataset.folder.iterdir()} == {*ARRAYS, "meta.json"}


def test_users_cannot_change_the_files(dataset: Dataset) -> None:
    packed = dataset.open()
    for array in packed.frames:
        array[:] = 9
    packed.scalars["reward"][:] = 9
    assert transitions_of(dataset.open()) == transitions_of(dataset.open())
    assert dataset.times == 1


def test_a_copy_in_another_process_notices_that_it_was_packed_again(dataset: Dataset) -> None:
    data = pickle.dumps(dataset.open())
    pickle.loads(data)
    meta = json.loads((dataset.folder / "meta.json").read_text())
    meta["files"]["units"][1] += 1
    (dataset.folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(packed.ReplayChangedError, match=r"packed again.*Call load_replay again"):
        pickle.loads(data)
    shutil.rmtree(dataset.folder)
    with pytest.raises(
        packed.ReplayChangedError, match=r"no longer what this replay was loaded from"
    ):
        pickle.loads(data)


def test_a_failed_packing_leaves_nothing(dataset: Dataset) -> None:
    shutil.rmtree(dataset.folder)
    write_shard(dataset.shard, EPISODES)
    data = dataset.shard.read_bytes()
    dataset.shard.write_bytes(data[:-1])
    with pytest.raises(Exception, match="missing"):
        dataset.open()
    assert {path.name for path in dataset.shard.parent.iterdir()} <= {"shard", "replay.lock"}


PACK = """
import pathlib, sys
from tfds_atari_replay import schema
from tfds_atari_replay.replay import cache
from tfds_atari_replay.prepared.reading import read_file
shard = pathlib.Path(sys.argv[1])
print("ready", flush=True)
cache.open_or_pack(
    shard.with_name("replay"),
    [shard],
    lambda: (print("packing"), read_file(shard, 0, "tfrecord", schema.features()))[1],
)
"""


def start_packing(dataset: Dataset) -> subprocess.Popen[str]:
    """Packs in another process, which is about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", PACK, str(dataset.shard)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_killed_while_packing(dataset: Dataset) -> None:
    """Whatever is left is whole, or packed again and then removed."""
    expected = transitions_of(dataset.open())
    rng = random.Random(0)
    for _ in range(6):
        shutil.rmtree(dataset.folder)
        process = start_packing(dataset)
        time.sleep(rng.random() * 0.03)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert transitions_of(dataset.open()) == expected
        left = {path.name for path in dataset.shard.parent.iterdir()}
        assert left <= {"shard", "replay", "replay.lock"} | {
            name for name in left if name.startswith("incomplete.")
        }
    shutil.rmtree(dataset.folder)
    dataset.open()
    left = {path.name for path in dataset.shard.parent.iterdir()}
    assert left == {"shard", "replay", "replay.lock"}


def test_several_processes_pack_once(dataset: Dataset) -> None:
    shutil.rmtree(dataset.folder)
    outputs = [process.communicate()[0] for process in [start_packing(dataset) for _ in range(3)]]
    assert sorted(outputs) == ["", "", "packing\n"]
