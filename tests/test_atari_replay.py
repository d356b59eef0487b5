"""The builder as TFDS's users use it."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, assert_no_dataset, build, columns, rows
from helpers.logs import copy_to_cache, make_episodes, open_log, write_log
from helpers.processes import run_python

import tfds_atari_replay
from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.fields import VERSION
from tfds_atari_replay.logs import locating
from tfds_atari_replay.logs.episodes import read_episodes

STEP_FIELDS = {
    "observation": ((84, 84, 1), np.uint8),
    "action": ((), np.int64),
    "reward": ((), np.float32),
    "discount": ((), np.float32),
    "is_first": ((), np.bool_),
    "is_last": ((), np.bool_),
    "is_terminal": ((), np.bool_),
    "unclipped_reward": ((), np.float32),
}


class AtariReplayTest(tfds.testing.DatasetBuilderTestCase):
    """TFDS's own contract for builders."""

    DATASET_CLASS = tfds_atari_replay.AtariReplay
    EXAMPLE_DIR = str(DUMMY_DATA)
    BUILDER_CONFIG_NAMES_TO_TEST = ("breakout_epoch_1_v0",)
    SPLITS = {"train": 11}  # noqa: RUF012
    SKIP_TF1_GRAPH_MODE = True  # nested datasets do not exist there


class WholeRunTest(AtariReplayTest):
    """TFDS's contract for a run, whose shards are written differently."""

    BUILDER_CONFIG_NAMES_TO_TEST = ("asterix_full_v0",)
    SPLITS = {"train": 10}  # noqa: RUF012


def test_holds_what_the_log_holds(expert: Any) -> None:
    """Values are compared, of all episodes of dummy_data's last dump."""
    log = list(zip(rows(expert), read_log("Breakout", 1, 50), strict=True))
    assert len(log) == 3
    for episode, (frames, action, reward, first, ended) in log:
        steps = episode["steps"]
        assert len(steps) == len(frames) + ended
        for step, frame in zip(steps, frames, strict=False):
            np.testing.assert_array_equal(step["observation"][..., 0], frame)
        assert columns(steps[: len(frames)], "action", "reward") == [list(action), list(reward)]
        assert steps[0]["is_first"] == first
        assert episode["episode_return"] == reward.sum()
        assert episode["checkpoint_id"] == 50


def read_log(game: str, run: int, number: int) -> list[Any]:
    """Reads a checkpoint's episodes without TFDS."""
    return [
        (np.concatenate(list(e.frames)), e.action, e.reward, e.starts_at_reset, e.ends_in_terminal)
        for e in read_episodes(open_log(DUMMY_DATA, game, run, number))
    ]


def test_info(expert: Any) -> None:
    """Metadata says where the data come from, and survives a reload."""
    for builder in (expert, tfds.builder_from_directory(str(expert.data_path))):
        assert builder.info.metadata == {
            "game": "Breakout",
            "run": 1,
            "checkpoints": [50],
            "source": "dopamine",
            "capacity": 1499,
            "transitions": 1493,
            "action_meanings": ["NOOP", "FIRE", "RIGHT", "LEFT"],
            "unclipped_rewards": {"known": 37, "summed": 0, "unknown": 0, "contradictions": 0},
        }
        assert builder.info.splits["train"].num_examples == 3
        assert not builder.info.disable_shuffling


def test_what_tfds_shows_of_examples(expert: Any) -> None:
    """It cannot draw nested steps and says so, as for rlu_atari; it has a table."""
    dataset, info = tfds.load(
        "atari_replay/breakout_expert_v0",
        split="train",
        data_dir=expert.data_path.parents[2],
        with_info=True,
    )
    with pytest.raises(ValueError, match="Visualisation not supported for dataset `atari_replay`"):
        tfds.show_examples(dataset, info)
    frame = tfds.as_dataframe(dataset, info)
    assert sorted(frame["episode_return"]) == [2, 17, 18]
    assert list(info.metadata.values()) == [info.metadata[name] for name in info.metadata]


@pytest.mark.slow
def test_a_client_of_rlu_atari_reads_it(expert: Any) -> None:
    """Its users map windows of two steps in each nested dataset to transitions."""

    def to_transitions(episode: Any) -> tf.data.Dataset:
        windows = episode["steps"].window(2, shift=1, drop_remainder=True)
        pairs = windows.flat_map(
            lambda w: tf.data.Dataset.zip({name: part.batch(2) for name, part in w.items()})
        )
        return pairs.map(
            lambda pair: (
                pair["observation"][0],
                pair["action"][0],
                pair["reward"][0],
                pair["discount"][0],
                pair["observation"][1],
            )
        )

    dataset = tfds.as_numpy(expert.as_dataset(split="train").flat_map(to_transitions))
    transitions = list(dataset)
    # All but those whose next frame the checkpoint cut off: one, at its end.
    assert len(transitions) == 1492
    assert sum(transition[3] == 0 for transition in transitions) == 2
    assert transitions[0][0].shape == (84, 84, 1)


def test_reads_in_tensorflow_and_numpy(expert: Any, tmp_path: pathlib.Path) -> None:
    """tf.data, data_source over array_record, and a builder from the folder give the same."""
    expected = rows(expert)
    assert expected[0]["steps"][0].keys() == STEP_FIELDS.keys()
    for name, (shape, dtype) in STEP_FIELDS.items():
        value = np.asarray(expected[0]["steps"][0][name])
        assert value.shape == shape
        assert value.dtype == dtype

    records = build("breakout_expert_v0", DUMMY_DATA, tmp_path, file_format="array_record")
    source = records.as_data_source(split="train")
    assert len(source) == 3
    from_source = sorted(source, key=lambda episode: episode["episode_id"])
    from_folder = rows(tfds.builder_from_directory(str(expert.data_path)))
    for others in (from_source, from_folder):
        for other, one in zip(others, expected, strict=True):
            assert len(other["steps"]) == len(one["steps"])
            for theirs, ours in zip(other["steps"], one["steps"], strict=True):
                for name in STEP_FIELDS:
                    np.testing.assert_array_equal(theirs[name], ours[name])
            for name in ("checkpoint_id", "episode_return", "is_complete"):
                assert other[name] == one[name]


@pytest.mark.slow
def test_a_fresh_process_reads_the_folder(expert: Any) -> None:
    """builder_from_directory needs no import of this package beside it."""
    code = f"""
import tensorflow_datasets as tfds
dataset = tfds.builder_from_directory({str(expert.data_path)!r}).as_dataset(split="train")
print(sum(1 for episode in dataset for step in episode["steps"]))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == [str(1493 + 2)]


def test_a_build_of_a_few_episodes(tmp_path: pathlib.Path) -> None:
    """Users try a build with max_examples_per_split."""
    builder = tfds.builder("atari_replay/breakout_mixed_v0", data_dir=tmp_path)
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=str(DUMMY_DATA), max_examples_per_split=2
        )
    )
    lengths = [len(episode["steps"]) - 1 for episode in rows(builder)]
    assert lengths == [71, 159]
    assert builder.info.metadata["transitions"] >= sum(lengths)


def test_sub_splits(tmp_path: pathlib.Path) -> None:
    """Slices partition the episodes; the files are not in order of time."""
    builder = build("breakout_mixed_v0", DUMMY_DATA, tmp_path)
    parts = builder.as_dataset(split=["train[:50%]", "train[50%:]"])
    ids = [[int(e["episode_id"]) for e in tfds.as_numpy(part)] for part in parts]
    assert sorted(ids[0] + ids[1]) == list(range(11))
    assert len(ids[0]) in (5, 6)
    assert ids[0] + ids[1] != list(range(11))


def test_partial_decoding(expert: Any) -> None:
    """tfds.decode.PartialDecoding reads some fields of steps, and skips the frames."""
    decoders = tfds.decode.PartialDecoding({"steps": {"action", "reward"}, "episode_id": True})
    dataset = expert.as_dataset(split="train", decoders=decoders)
    assert set(dataset.element_spec) == {"steps", "episode_id"}
    assert set(dataset.element_spec["steps"].element_spec) == {"action", "reward"}
    for part, whole in zip(rows(expert, decoders=decoders), rows(expert), strict=True):
        assert columns(part["steps"], "action") == columns(whole["steps"], "action")
    loaded = tfds.load(
        "atari_replay/breakout_expert_v0",
        split="train",
        data_dir=expert.data_path.parents[2],
        decoders=tfds.decode.PartialDecoding({"episode_return": True}),
    )
    assert sorted(float(e["episode_return"]) for e in tfds.as_numpy(loaded)) == [2, 17, 18]


def test_expert_does_not_fall_back_over_a_damaged_50(tmp_path: pathlib.Path) -> None:
    """A checkpoint 50 that lacks a file is an error, not an absent one."""
    shutil.copytree(DUMMY_DATA / "Breakout", tmp_path / "Breakout")
    logs = tmp_path / "Breakout" / "1" / "replay_logs"
    (logs / "$store$_action_ckpt.50.gz").unlink()
    with pytest.raises(FileNotFoundError, match="checkpoint 50: no file for 'action'"):
        build("breakout_expert_v0", tmp_path, tmp_path / "data")
    assert_no_dataset(tmp_path / "data", "breakout_expert_v0")
    with pytest.raises(
        FileNotFoundError, match=r"has no checkpoint 48 in .* It has: 0, 1, 10, 49, 50"
    ):
        build("breakout_epoch_48_v0", tmp_path, tmp_path / "data")


def test_expert_needs_50_or_49(tmp_path: pathlib.Path) -> None:
    """The message says which checkpoints there are."""
    with pytest.raises(FileNotFoundError, match=r"has no checkpoint 50 or 49 in .*: 0, 1, 2"):
        build("asterix_expert_v0", DUMMY_DATA, tmp_path)


def test_a_checkpoint_without_add_count_is_refused(tmp_path: pathlib.Path) -> None:
    """An interrupted copy or recording looks like this; its episodes would be wrong."""
    shutil.copytree(DUMMY_DATA / "Breakout", tmp_path / "Breakout")
    (tmp_path / "Breakout" / "1" / "replay_logs" / "add_count_ckpt.50.gz").unlink()
    with pytest.raises(FileNotFoundError, match="checkpoint 50: no file for 'add_count'"):
        build("breakout_expert_v0", tmp_path, tmp_path / "data")
    assert_no_dataset(tmp_path / "data", "breakout_expert_v0")


def test_metadata_says_that_a_cursor_was_assumed(tmp_path: pathlib.Path) -> None:
    """That is so for d4rl-atari's cache, which lacks the cursor, and for nothing else."""
    logs = DUMMY_DATA / "Breakout" / "1" / "replay_logs"
    copy_to_cache(logs, tmp_path / "Breakout" / "1", 10)
    builder = build("breakout_medium_v0", tmp_path, tmp_path / "data")
    other = tfds.builder_from_directory(str(builder.data_path))
    assert builder.info.metadata["cursor_assumed"] is True
    assert other.info.metadata["cursor_assumed"] is True
    known = build("breakout_medium_v0", DUMMY_DATA, tmp_path / "known")
    assert "cursor_assumed" not in known.info.metadata


def files_of(folder: pathlib.Path) -> dict[str, bytes]:
    """Returns all files in a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in pathlib.Path(folder).rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("file_format", cases(slow=["tfrecord"], exhaustive=["array_record"]))
def test_the_same_logs_give_the_same_bytes(tmp_path: pathlib.Path, file_format: str) -> None:
    """Two processes build in two places; protobuf's order of fields differs between them."""
    first = build("breakout_expert_v0", DUMMY_DATA, tmp_path / "first", file_format=file_format)
    run_python(f"""
import tensorflow_datasets as tfds
import tfds_atari_replay
builder = tfds.builder(
    "atari_replay/breakout_expert_v0",
    data_dir={str(tmp_path / "second")!r},
    file_format={file_format!r},
)
config = tfds.download.DownloadConfig(manual_dir={str(DUMMY_DATA)!r})
builder.download_and_prepare(download_config=config)
""")
    second = tmp_path / "second" / first.data_path.relative_to(tmp_path / "first")
    assert len(files_of(first.data_path)) == 4
    assert files_of(first.data_path) == files_of(second)


def test_two_builds_at_once_both_end_well(tmp_path: pathlib.Path) -> None:
    """The second to finish uses what the first has prepared."""
    first = tfds.builder("atari_replay/breakout_expert_v0", data_dir=tmp_path)
    generate = type(first)._generate_examples

    def while_another_builds(self: Any, *args: Any) -> Any:
        if self is first:
            build("breakout_expert_v0", DUMMY_DATA, tmp_path)
        yield from generate(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(first), "_generate_examples", while_another_builds)
        first.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=str(DUMMY_DATA))
        )
    alone = build("breakout_expert_v0", DUMMY_DATA, tmp_path / "alone")
    assert files_of(first.data_path) == files_of(alone.data_path)
    assert rows(first)[1]["episode_return"] == 18
    assert first.info.metadata == alone.info.metadata
    assert [p.name for p in first.data_path.parent.iterdir()] == [VERSION]


@pytest.mark.parametrize("name", ["observation", "reward"])
def test_a_failed_build_leaves_nothing(name: str, tmp_path: pathlib.Path) -> None:
    """The frames or the small arrays are damaged; the next build succeeds."""
    shutil.copytree(DUMMY_DATA / "Breakout", tmp_path / "Breakout")
    path = tmp_path / "Breakout" / "1" / "replay_logs" / f"$store$_{name}_ckpt.50.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:])
    with pytest.raises(ReplayLogError, match=f"{name}_ckpt.50.gz is damaged"):
        build("breakout_expert_v0", tmp_path, tmp_path / "data")
    assert_no_dataset(tmp_path / "data", "breakout_expert_v0")
    path.write_bytes(whole)
    assert len(rows(build("breakout_expert_v0", tmp_path, tmp_path / "data"))) == 3


def test_a_killed_build_leaves_nothing_that_passes_for_a_dataset(tmp_path: pathlib.Path) -> None:
    """SIGKILL comes while episodes are written."""
    code = f"""
import tensorflow_datasets as tfds
import tfds_atari_replay
from tfds_atari_replay.logs import episodes
read = episodes.read_episodes
def slowly(*args):
    for episode in read(*args):
        yield episode
        print("one", flush=True)
        import time; time.sleep(60)
episodes.read_episodes = slowly
config = tfds.download.DownloadConfig(manual_dir={str(DUMMY_DATA)!r})
builder = tfds.builder("atari_replay/breakout_expert_v0", data_dir={str(tmp_path)!r})
builder.download_and_prepare(download_config=config)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "one\n":
            assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
    builder = tfds.builder("atari_replay/breakout_expert_v0", data_dir=tmp_path)
    assert not builder.is_prepared()
    assert len(rows(build("breakout_expert_v0", DUMMY_DATA, tmp_path))) == 3


def test_no_logs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where it looked and what to do; the variable names a folder too."""
    with pytest.raises(FileNotFoundError, match=r"(?s)No replay logs of Breakout run 1.*record"):
        tfds.load("atari_replay/breakout_expert_v0", data_dir=tmp_path)
    assert_no_dataset(tmp_path, "breakout_expert_v0")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(FileNotFoundError, match=rf"1\. manual_dir: {empty} \(is empty\)"):
        build("breakout_expert_v0", empty, tmp_path)
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(DUMMY_DATA))
    builder = build("breakout_expert_v0", empty, tmp_path)
    assert builder.info.metadata["checkpoints"] == [50]


def test_a_manual_dir_on_a_server_is_refused(tmp_path: pathlib.Path) -> None:
    """TFDS itself would raise a KeyError."""
    builder = tfds.builder("atari_replay/breakout_expert_v0", data_dir=tmp_path)
    config = tfds.download.DownloadConfig(manual_dir="http://127.0.0.1:9/logs")
    with pytest.raises(ValueError, match=r"Cannot list http://127.0.0.1:9/logs: expected a folder"):
        builder.download_and_prepare(download_config=config)


def test_a_folder_that_holds_the_run_decides(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """manual_dir comes first; checkpoints that it lacks are not taken from elsewhere."""
    write_log(tmp_path / "Breakout" / "1" / "replay_logs", 21, make_episodes([30]))
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(DUMMY_DATA))
    builder = build("breakout_epoch_1_v0", tmp_path, tmp_path / "data")
    assert builder.info.metadata["capacity"] == 21
    with pytest.raises(FileNotFoundError, match="has no checkpoint 10"):
        build("breakout_medium_v0", tmp_path, tmp_path / "data")
    other = build("breakout_mixed_v4", tmp_path, tmp_path / "data")
    assert other.info.metadata["capacity"] == 1510
