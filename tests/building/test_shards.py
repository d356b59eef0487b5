"""Whole runs as datasets, against the play that was logged."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from helpers.datasets import DUMMY_DATA, assert_no_dataset, build, rows
from helpers.logs import Truth, copy_to_cache, log_folder, make_episodes, write_log, write_run
from helpers.server import Server
from helpers.transitions import count_transitions, in_batches
from helpers.unplugged import write_unplugged

import tfds_atari_replay
from tfds_atari_replay import ReplayLogError, transforms
from tfds_atari_replay.building import shards
from tfds_atari_replay.building.writing import ExampleWriter
from tfds_atari_replay.logs import locating

CONFIG = "breakout_full_v0"
LENGTHS = [13, 14, 90, 1, 2, 40, 55, 9, 120, 33, 61, 62, 63, 8]


def assert_is(builder: Any, expected: list[Truth]) -> None:
    """Checks that the dataset has these episodes: every frame and field, in order."""
    found = rows(builder)
    assert [len(e["steps"]) for e in found] == [
        len(e.action) + e.ends_in_terminal for e in expected
    ]
    ids = [int(episode["episode_id"]) for episode in found]
    assert ids == sorted(set(ids))
    for episode, truth in zip(found, expected, strict=True):
        ended = truth.ends_in_terminal
        assert episode["is_complete"] == (truth.starts_at_reset and ended)
        assert episode["episode_return"] == truth.reward.sum()
        steps = {
            name: np.array([step[name] for step in episode["steps"]])
            for name in episode["steps"][0]
        }
        logged = len(truth.action)
        np.testing.assert_array_equal(steps["observation"][:logged, ..., 0], truth.frames)
        np.testing.assert_array_equal(steps["action"][:logged], truth.action)
        np.testing.assert_array_equal(steps["reward"][:logged], truth.reward)
        assert steps["is_first"].tolist() == [
            truth.starts_at_reset and not n for n in range(logged + ended)
        ]
        assert steps["is_terminal"].tolist() == [n == logged for n in range(logged + ended)]
        assert steps["is_last"].tolist() == [False] * (logged + ended - 1) + [True]
        assert steps["discount"].tolist() == [
            float(not ended or n < logged - 1) for n in range(logged + ended)
        ]


def dataset_files(builder: Any) -> dict[str, bytes]:
    """Returns the dataset's files by name, except those with its path."""
    return {
        path.name: path.read_bytes()
        for path in pathlib.Path(builder.data_path).iterdir()
        if path.is_file() and path.name != "replay.lock"
    }


@pytest.fixture(scope="module")
def play() -> list[Truth]:
    """Episodes as they were played."""
    return make_episodes(LENGTHS, last_is_cut=True)


@pytest.fixture(scope="module")
def logs(play: list[Truth], tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Their logs, in rings of 100 rows; some episodes are longer."""
    root = tmp_path_factory.mktemp("logs")
    write_log(log_folder(root), 100, play)
    return root


@pytest.fixture(scope="module")
def full(logs: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The builder of the run."""
    return build(CONFIG, logs, tmp_path_factory.mktemp("data"))


def test_a_run_is_what_was_played(full: Any, play: list[Truth]) -> None:
    """Every logged step is there once, and every episode whole."""
    assert_is(full, play)
    metadata = full.info.metadata
    assert metadata["transitions"] == sum(LENGTHS)
    assert metadata["checkpoints"] == list(range(len(metadata["checkpoints"])))
    assert (metadata["capacity"], metadata["gaps"]) == (100, [])
    assert 0 < metadata["repeated"] < 100
    assert metadata["source"] == "dopamine"
    stored = json.loads((full.data_path / "metadata.json").read_text())
    assert stored == dict(metadata)


def test_a_shard_is_a_checkpoint(full: Any) -> None:
    """Shards are in order, so slices are periods of time."""
    by_shard = []
    for number in full.info.metadata["checkpoints"]:
        found = list(tfds.as_numpy(full.as_dataset(split=f"train[{number}shard]")))
        assert {int(episode["checkpoint_id"]) for episode in found} <= {number}
        by_shard += [int(episode["episode_id"]) for episode in found]
    ids = [int(episode["episode_id"]) for episode in rows(full)]
    assert by_shard == ids
    first = full.as_dataset(split="train[:50%]")
    assert [int(e["episode_id"]) for e in tfds.as_numpy(first)] == ids[: len(ids) // 2]


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_a_checkpoint_in_which_no_episode_starts(tmp_path: pathlib.Path, file_format: str) -> None:
    """Its shard is empty, and all readers skip it."""
    truths = make_episodes([20, 300, 40])
    write_log(log_folder(tmp_path), 60, truths)
    builder = build(CONFIG, tmp_path, tmp_path / "data", file_format=file_format)
    assert builder.info.splits["train"].shard_lengths.count(0) >= 3
    if file_format == "tfrecord":
        assert_is(builder, truths)
    else:
        source = builder.as_data_source(split="train")
        assert [len(list(episode["steps"])) for episode in source] == [21, 301, 41]
    replay = tfds_atari_replay.load_replay(f"atari_replay/{CONFIG}", data_dir=tmp_path / "data")
    assert replay.episodes["length"].tolist() == [20, 300, 40]


def test_transitions_of_a_run(full: Any, play: list[Truth]) -> None:
    """Random access and tf.data give the same ones, across checkpoints too."""
    replay = tfds_atari_replay.load_replay(
        f"atari_replay/{CONFIG}", data_dir=full.data_path.parents[2]
    )
    got = count_transitions(in_batches(replay.transitions(n_step=3)))
    dataset = full.as_dataset(split="train")
    assert got == count_transitions(
        tfds.as_numpy(dataset.apply(transforms.transitions(n_step=3, batch_size=32)))
    )
    # The last episode is cut, so its last three steps have no observation three steps on.
    assert got.total() == sum(len(episode.action) for episode in play) - 3
    part = tfds_atari_replay.load_replay(
        f"atari_replay/{CONFIG}", split="train[1shard:3shard]", data_dir=full.data_path.parents[2]
    )
    assert set(part.episodes["checkpoint_id"]) == {1, 2}


def test_gaps_are_named_once(
    tmp_path: pathlib.Path, play: list[Truth], caplog: pytest.LogCaptureFixture
) -> None:
    """A warning and the metadata name them, and episodes are cut only there."""
    held = write_run(log_folder(tmp_path), 100, play, kept=lambda number: number != 2)
    builder = build(CONFIG, tmp_path, tmp_path / "data")
    assert_is(builder, [piece for pieces in held for piece in pieces])
    assert len(held) == 2
    assert builder.info.metadata["gaps"] == [{"before": 3, "missing": [2], "rows": 100}]
    warnings = [r.getMessage() for r in caplog.records if "episodes stay cut" in r.getMessage()]
    assert warnings == [f"{CONFIG}: episodes stay cut before checkpoint 3; missing: 2."]


def test_the_same_bytes_whenever_it_is_built(
    full: Any, logs: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """An interruption, or an engine that repeats work, changes nothing."""
    assert dataset_files(build(CONFIG, logs, tmp_path)) == dataset_files(full)


def kill_after(shards_done: int, logs: pathlib.Path, data_dir: pathlib.Path) -> pathlib.Path:
    """Kills a build once it has written some shards; returns their folder."""
    code = f"""
import os, signal
import tensorflow_datasets as tfds
import tfds_atari_replay
from tfds_atari_replay.building import shards
from tfds_atari_replay.building.writing import ExampleWriter
write, done = shards.Job.write, []
def write_some(job, *args):
    if len(done) == {shards_done}:
        os.kill(os.getpid(), signal.SIGKILL)
    write(job, *args)
    done.append(job)
shards.Job.write = write_some
config = tfds.download.DownloadConfig(manual_dir={str(logs)!r})
builder = tfds.builder("atari_replay/{CONFIG}", data_dir={str(data_dir)!r})
builder.download_and_prepare(download_config=config)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    assert_no_dataset(data_dir, CONFIG)
    (parts,) = (data_dir / "atari_replay" / CONFIG).glob("incomplete.run_*")
    return parts


@pytest.mark.slow
def test_a_killed_build_goes_on_where_it_was(
    full: Any, logs: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finished shards are not written again, and nothing is left over."""
    parts = kill_after(3, logs, tmp_path)
    kept = {path.name for path in parts.iterdir() if path.suffix != ".json"}
    assert len(kept) == 3
    written = []
    write = ExampleWriter.write

    def noting(writer: Any, path: Any, *args: Any) -> None:
        written.append(path.name)
        write(writer, path, *args)

    monkeypatch.setattr(ExampleWriter, "write", noting)
    builder = build(CONFIG, logs, tmp_path)
    assert len(written) == len(full.info.metadata["checkpoints"]) - 3
    assert not any(name in done for name in kept for done in written)
    assert dataset_files(builder) == dataset_files(full)
    assert not list((tmp_path / "atari_replay" / CONFIG).glob("incomplete.run_*"))


@pytest.mark.slow
def test_what_was_written_of_other_logs_is_not_used(
    full: Any, logs: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Logs that have changed are different logs; a different file format counts too."""
    copy = tmp_path / "logs"
    shutil.copytree(logs, copy)
    parts = kill_after(3, copy, tmp_path / "data")
    path = log_folder(copy) / "add_count_ckpt.1.gz"
    os.utime(path, (1, 1))
    builder = build(CONFIG, copy, tmp_path / "data")
    assert not parts.exists()
    assert dataset_files(builder) == dataset_files(full)


def test_a_damaged_checkpoint_in_the_middle(
    full: Any, logs: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Small files are checked first, frames as they are read. No dataset appears."""
    copy = tmp_path / "logs"
    shutil.copytree(logs, copy)
    small = log_folder(copy) / "$store$_terminal_ckpt.3.gz"
    frames = log_folder(copy) / "$store$_observation_ckpt.3.gz"
    whole = {path: path.read_bytes() for path in (small, frames)}
    for path, done in ((small, 0), (frames, 2)):
        path.write_bytes(whole[path][:-8] + b"checksum")
        with pytest.raises(ReplayLogError, match=f"{path.name.replace('$', '.')} is damaged"):
            build(CONFIG, copy, tmp_path / "data")
        assert_no_dataset(tmp_path / "data", CONFIG)
        notes = list((tmp_path / "data" / "atari_replay" / CONFIG).glob("*/*.json"))
        assert len(notes) >= done
        path.write_bytes(whole[path])
    assert dataset_files(build(CONFIG, copy, tmp_path / "data")) == dataset_files(full)


def test_two_builds_at_once(full: Any, logs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The second waits, and uses the dataset of the first."""
    builders = []
    threads = [
        threading.Thread(target=lambda: builders.append(build(CONFIG, logs, tmp_path)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builders) == 2
    for builder in builders:
        assert dataset_files(builder) == dataset_files(full)


def test_an_engine_that_loses_work_makes_no_dataset(
    logs: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, full: Any
) -> None:
    """A shard that is missing, or differs from its note, is an error."""

    def lose_one(jobs: list[shards.Job], *_: Any) -> None:
        for job in [*jobs[:2], *jobs[3:]]:
            job.write()

    def cut_one(jobs: list[shards.Job], *_: Any) -> None:
        for job in jobs:
            job.write()
        os.truncate(jobs[4].path, 100)

    def repeat(jobs: list[shards.Job], *_: Any) -> None:
        for job in [*reversed(jobs), *jobs]:
            job.write()

    config = tfds.download.DownloadConfig(manual_dir=str(logs), beam_options=object())
    for engine, lost in ((lose_one, 2), (cut_one, 4)):
        monkeypatch.setattr(shards, "_write_with_beam", engine)
        builder = tfds.builder(f"atari_replay/{CONFIG}", data_dir=tmp_path)
        with pytest.raises(FileNotFoundError, match=rf"1 of \d+ shards .* is .*-0000{lost}-of-"):
            builder.download_and_prepare(download_config=config)
        assert_no_dataset(tmp_path, CONFIG)
    monkeypatch.setattr(shards, "_write_with_beam", repeat)
    builder.download_and_prepare(download_config=config)
    assert dataset_files(builder) == dataset_files(full)


def test_from_rl_unplugged(tmp_path: pathlib.Path) -> None:
    """Its files do not say what continues in the next one, so nothing is joined."""
    held = [make_episodes([4, 6], last_is_cut=True), make_episodes([3, 5]), make_episodes([7])]
    for number, truths in zip((0, 1, 3), held, strict=True):
        write_unplugged(tmp_path / "Breakout" / f"run_1-{number:05}-of-00050", truths)
    builder = build(CONFIG, tmp_path, tmp_path / "data")
    found = rows(builder)
    assert [(int(e["checkpoint_id"]), len(e["steps"]), bool(e["is_complete"])) for e in found] == [
        (0, 5, True),
        (0, 6, False),
        (1, 4, False),
        (1, 6, True),
        (3, 8, False),
    ]
    assert builder.info.metadata["gaps"] == [
        {"before": 1, "missing": [], "rows": None},
        {"before": 3, "missing": [2], "rows": None},
    ]
    assert builder.info.metadata["capacity"] is None


def test_d4rl_ataris_cache_is_not_enough(
    tmp_path: pathlib.Path, logs: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused if the user named it, and passed over otherwise."""
    run = tmp_path / "cache" / "Breakout" / "1"
    for number in (0, 1):
        copy_to_cache(log_folder(logs), run, number)
    with pytest.raises(ValueError, match=r"run 1 cannot be joined .*/1: it lacks add_count, which"):
        build(CONFIG, tmp_path / "cache", tmp_path / "data")
    monkeypatch.setenv(locating.CACHE_VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match=r"cache \(lacks add_count, without which"):
        build(CONFIG, tmp_path, tmp_path / "data")


def test_from_a_server(
    full: Any, logs: pathlib.Path, tmp_path: pathlib.Path, public: Server
) -> None:
    """All checkpoints on it are downloaded; only a broken download is deleted."""
    folder = tmp_path / "public" / "logs" / "dqn"
    shutil.copytree(logs, folder)
    broken = log_folder(folder) / "$store$_observation_ckpt.3.gz"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-4])
    builder = tfds.builder(f"atari_replay/{CONFIG}", data_dir=tmp_path / "data")
    with pytest.raises(ReplayLogError, match="It was a download and is deleted now"):
        builder.download_and_prepare()
    broken.write_bytes(whole)
    before = public.downloads
    builder.download_and_prepare()
    again = {name for name, count in (public.downloads - before).items() if "add_count" not in name}
    assert again == {
        "$store$_observation_ckpt.3.gz",
        "$store$_action_ckpt.3.gz",
        "$store$_reward_ckpt.3.gz",
        "$store$_terminal_ckpt.3.gz",
    }
    assert rows(builder)[7]["episode_return"] == rows(full)[7]["episode_return"]
    assert builder.info.metadata == full.info.metadata


def test_parts_of_checkpoints_are_refused(logs: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """TFDS would ignore max_examples_per_split silently."""
    builder = tfds.builder(f"atari_replay/{CONFIG}", data_dir=tmp_path)
    config = tfds.download.DownloadConfig(manual_dir=str(logs), max_examples_per_split=3)
    with pytest.raises(ValueError, match="max_examples_per_split is not for whole runs"):
        builder.download_and_prepare(download_config=config)


def test_dummy_data(tmp_path: pathlib.Path) -> None:
    """`tfds build` joins its run as a user would."""
    builder = build("asterix_full_v0", DUMMY_DATA, tmp_path)
    assert builder.info.splits["train"].shard_lengths == [4, 3, 3]
    assert builder.info.metadata["transitions"] == 2700
    assert [bool(e["is_complete"]) for e in rows(builder)] == [True] * 9 + [False]
