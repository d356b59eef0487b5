"""RL Unplugged's files against the play they were made of, and against TFDS's reader of them."""

import gzip
import pathlib
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, assert_no_dataset, build, columns, rows
from helpers.logs import Truth, copy_to_cache, find_checkpoint, log_folder, make_episodes, write_log
from helpers.processes import PEAK_MEMORY
from helpers.public import build_public, serve_unplugged
from helpers.server import Server
from helpers.unplugged import unplugged_example, write_records, write_unplugged
from tensorflow_datasets.rl_unplugged import atari_utils
from tensorflow_datasets.rl_unplugged.rlu_atari import rlu_atari

import tfds_atari_replay
from tfds_atari_replay import GAMES, ReplayLogError
from tfds_atari_replay.logs.records import Episode

NAME = "run_1-00001-of-00050"
FIELDS = ("action", "reward", "discount", "is_first", "is_last", "is_terminal")


def read(root: pathlib.Path, number: int = 1) -> list[tuple[Episode, npt.NDArray[np.uint8]]]:
    """Reads the episodes of a file, with all their frames."""
    found = []
    for episode in find_checkpoint(root, "Breakout", 1, number).open().episodes(64):
        frames = list(episode.frames)
        assert all(len(piece) == 64 for piece in frames[:-1])
        found.append((episode, np.concatenate(frames)))
    return found


def test_the_same_steps_as_tfdss_own_builder(tmp_path: pathlib.Path) -> None:
    """Steps equal rlu_atari's, except for the meaningless fields of terminal states."""
    truths = make_episodes([3, 200, 64, 1, 30], last_is_cut=True)
    write_unplugged(tmp_path / "Breakout" / NAME, truths)
    ours = rows(build("breakout_mixed_v0", tmp_path, tmp_path / "data"))
    theirs = rlu_atari.RluAtari(config="Breakout_run_1", data_dir=tmp_path / "data")
    keyed = dict(theirs.generate_examples_one_file(tmp_path / "Breakout" / NAME))
    assert list(keyed) == [f"1_{number}" for number in range(5)]
    for one, other in zip(ours, keyed.values(), strict=True):
        for name in ("episode_id", "checkpoint_id", "episode_return"):
            assert one[name] == other[name]
        steps = other["steps"]
        assert len(one["steps"]) == len(steps["action"])
        for number, step in enumerate(one["steps"]):
            png = np.frombuffer(steps["observation"][number], np.uint8)
            frame = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(step["observation"][..., 0], frame)
            for name in FIELDS:
                if step["is_terminal"] and name in ("action", "reward"):
                    assert step[name] == 0
                else:
                    assert step[name] == steps[name][number]


@pytest.mark.parametrize("number", cases(1, slow=[0, 3]))
def test_three_copies_of_the_same_play(tmp_path: pathlib.Path, number: int) -> None:
    """Dopamine's logs, d4rl-atari's cache and RL Unplugged give the same steps.

    What formats lack: Dopamine's logs and the cache the frame of a terminal state; RL Unplugged
    whether a checkpoint's first piece begins at a reset (it is taken to); the cache where the run's
    last dump begins (not compared here).
    """
    held = write_log(log_folder(tmp_path / "logs"), 97, make_episodes([30, 80, 5, 120, 61, 200]))
    logs, cache = log_folder(tmp_path / "logs"), tmp_path / "cache" / "Breakout" / "1"
    copy_to_cache(logs, cache, number)
    path = tmp_path / "unplugged" / "Breakout" / f"run_1-{number:05}-of-00050"
    write_unplugged(path, held[number])
    found = {}
    for name, layout in (
        ("logs", "dopamine"),
        ("cache", "d4rl_atari"),
        ("unplugged", "rl_unplugged"),
    ):
        builder = build(f"breakout_epoch_{number}_v0", tmp_path / name, tmp_path / "data" / name)
        assert builder.info.metadata["source"] == layout
        assert builder.info.metadata["capacity"] == (None if name == "unplugged" else 97)
        assert builder.info.metadata["transitions"] == sum(len(e.action) for e in held[number])
        found[name] = rows(builder)
    for log, cached, other in zip(*found.values(), strict=True):
        assert columns(log["steps"], *FIELDS) == columns(cached["steps"], *FIELDS)
        is_first_piece = log["episode_id"] == 0
        for name in ("episode_id", "checkpoint_id", "episode_return", "is_complete"):
            assert log[name] == cached[name]
            if name != "is_complete" or not is_first_piece:
                assert log[name] == other[name]
        for place, (a, b, c) in enumerate(
            zip(log["steps"], cached["steps"], other["steps"], strict=True)
        ):
            np.testing.assert_array_equal(a["observation"], b["observation"])
            if a["is_terminal"]:
                assert not a["observation"].any()
                assert (c["observation"] == 9).all()
            else:
                np.testing.assert_array_equal(a["observation"], c["observation"])
            for name in FIELDS:
                if (name, place) != ("is_first", 0) or not is_first_piece:
                    assert a[name] == c[name]
        assert other["steps"][0]["is_first"]


def test_recorded_play(tmp_path: pathlib.Path) -> None:
    """Frames of a real game come back pixel for pixel, terminal frame included."""
    truths = []
    for episode in find_checkpoint(DUMMY_DATA, "Breakout", 1, 10).open().episodes():
        frames = np.concatenate(list(episode.frames))
        truths.append(Truth(frames, episode.action, episode.reward, episode.ends_in_terminal))
    write_unplugged(tmp_path / "Breakout" / NAME, truths)
    for (episode, frames), truth in zip(read(tmp_path), truths, strict=True):
        np.testing.assert_array_equal(frames[: len(truth.frames)], truth.frames)
        np.testing.assert_array_equal(episode.action, truth.action)
        np.testing.assert_array_equal(episode.reward, truth.reward)
        assert len(frames) == len(truth.frames) + truth.ends_in_terminal
        assert episode.has_terminal_frame == episode.ends_in_terminal == truth.ends_in_terminal


def test_a_terminal_state_alone(tmp_path: pathlib.Path) -> None:
    """A file may begin with the state after the last action of the checkpoint before."""
    nothing = make_episodes([2])[0]
    nothing = Truth(nothing.frames[:0], nothing.action[:0], nothing.reward[:0])
    write_unplugged(tmp_path / "Breakout" / NAME, [nothing, *make_episodes([5])])
    builder = build("breakout_mixed_v0", tmp_path, tmp_path / "data")
    first, second = rows(builder)
    assert columns(first["steps"], *FIELDS) == [[0], [0], [0], [False], [True], [True]]
    assert not first["is_complete"]
    assert second["is_complete"]
    assert len(second["steps"]) == 6
    assert builder.info.metadata["transitions"] == 5


def test_clipped_rewards_are_read(tmp_path: pathlib.Path) -> None:
    (truth,) = make_episodes([4])
    record = unplugged_example(1, 0, truth, unclipped_rewards=[50.0] * 5)
    write_records(tmp_path / "Breakout" / NAME, [record])
    (episode,) = rows(build("breakout_mixed_v0", tmp_path, tmp_path / "data"))
    assert columns(episode["steps"], "reward") == [[-1, 0, 1, -1, 0]]
    assert episode["episode_return"] == -1


GOOD = make_episodes([4, 3])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"actions": [0, 1]}, r"episode 1: expected fields of one length.*'actions': 2"),
        ({"observations": []}, r"episode 1: expected fields of one length.*'observations': 0"),
        ({"actions": [0, 2**40, 0, 0]}, r"actions from 0 to 3, .* got 0 to 1099511627776"),
        ({"actions": [0, 4, 0, 0]}, r"actions from 0 to 3, Breakout's 4 \(another game's file\?\)"),
        ({"clipped_rewards": [0, np.nan, 0, 0]}, "episode 1: expected finite rewards"),
        ({"discounts": [1, 0, 1, 0]}, "a discount of 0 in the last step only"),
        ({"episode_idx": []}, "expected one episode_idx in each record, got 0"),
        ({"observations": [b"no png"] * 4}, r"episode 1: expected PNG images, .*, got None"),
    ],
)
def test_wrong_records_are_refused(
    tmp_path: pathlib.Path, fields: dict[str, Any], message: str
) -> None:
    """The message names file and episode, what was expected and what came."""
    path = tmp_path / "Breakout" / NAME
    records = [unplugged_example(1, 0, GOOD[0]), unplugged_example(1, 1, GOOD[1], **fields)]
    write_records(path, records)
    with pytest.raises(ReplayLogError, match=rf"(?s)checkpoint 1: .*{NAME} is damaged.*{message}"):
        build("breakout_mixed_v0", tmp_path, tmp_path / "data")
    assert_no_dataset(tmp_path / "data", "breakout_mixed_v0")


def test_damaged_files_are_refused(tmp_path: pathlib.Path) -> None:
    """Files that are cut, altered, not TFRecords or without episodes are refused."""
    path = tmp_path / "Breakout" / NAME
    write_unplugged(path, GOOD)
    whole = path.read_bytes()
    wrong_sum = whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]
    cuts = {whole[:cut] for cut in (0, 5, 20, len(whole) // 2, len(whole) - 8, len(whole) - 1)}
    # Records cut short within a whole gzip file.
    records = gzip.decompress(whole)
    cuts |= {gzip.compress(records[:cut]) for cut in (3, 500, len(records) - 5, len(records) - 1)}
    for data in (*cuts, wrong_sum, b"\x89PNG\r\n", b"x" * 100):
        path.write_bytes(data)
        with pytest.raises(ReplayLogError, match=f"{NAME} is damaged or not a log"):
            read(tmp_path)
    write_records(path, [])
    with pytest.raises(ReplayLogError, match="expected episodes, got none"):
        read(tmp_path)
    write_records(path, [b"\xff\xff\xff"])
    with pytest.raises(ReplayLogError, match=r"expected a tf\.train\.Example in each record"):
        read(tmp_path)
    path.write_bytes(gzip.compress(b"\xff" * 100))
    with pytest.raises(ReplayLogError, match="expected a TFRecord file with records of"):
        read(tmp_path)


def test_a_renamed_file_is_noted(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    """Records say which checkpoint they are from."""
    path = tmp_path / "Breakout" / NAME
    write_unplugged(path, GOOD)
    read(tmp_path)
    assert not caplog.messages
    path.rename(path.with_name("run_1-00007-of-00050"))
    read(tmp_path, 7)
    (message,) = caplog.messages
    assert "run_1-00007-of-00050 says that it holds checkpoint 1. Was it renamed?" in message


@pytest.mark.slow
def test_memory_stays_small(tmp_path: pathlib.Path) -> None:
    """Reading 20,000 frames, 141 MB, in one episode takes less than half of that."""
    frames = np.zeros((20_000, 84, 84), np.uint8)
    column = np.zeros(20_000)
    truth = Truth(frames, column.astype(np.int32), column.astype(np.float32))
    path = tmp_path / "Breakout" / NAME
    png = cv2.imencode(".png", frames[0])[1].tobytes()
    write_records(path, [unplugged_example(1, 0, truth, observations=[png] * 20_001)])
    code = f"""
{PEAK_MEMORY}
from etils import epath
from tfds_atari_replay import GAMES
from tfds_atari_replay.logs import layouts
import cv2
(files,) = layouts.find_run(epath.Path({str(tmp_path)!r}), GAMES["Breakout"], 1)
before = peak_memory()
count = sum(len(piece) for e in files.open().episodes() for piece in e.frames)
print(count, peak_memory() - before)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    count, grown = map(int, result.stdout.split())
    assert count == 20_001
    assert grown < 60e6


def test_the_games_are_tfdss() -> None:
    """RL Unplugged has 46 games, three of them in 49 files."""
    theirs = {config.game for config in rlu_atari.RluAtari.BUILDER_CONFIGS}
    assert {name for name, game in GAMES.items() if game.unplugged_shards} == theirs
    assert len(theirs) == 46
    for name in theirs:
        assert GAMES[name].unplugged_shards == atari_utils.num_shards(name, 50)


def test_games_with_49_files(tmp_path: pathlib.Path, public: Server) -> None:
    """File names contain the game's number of files; `expert` is the last of them."""
    serve_unplugged(tmp_path, "Gravitar/run_3-00048-of-00049")
    builder = build_public(tmp_path / "data", "gravitar_expert_v2")
    assert builder.info.metadata["checkpoints"] == [48]
    assert public.asked[-1].endswith("/Gravitar/run_3-00048-of-00049")
    with pytest.raises(FileNotFoundError, match="does not have Gravitar checkpoint 49"):
        build_public(tmp_path / "data", "gravitar_epoch_49_v2")


@pytest.mark.parametrize("config", ["breakout_epoch_50_v0", "montezuma_revenge_expert_v0"])
def test_what_rl_unplugged_does_not_have(
    config: str, tmp_path: pathlib.Path, public: Server
) -> None:
    """RL Unplugged is not asked, and the message says that it lacks the checkpoint."""
    with pytest.raises(FileNotFoundError, match=r"RL Unplugged.*does not have") as error:
        build_public(tmp_path / "data", config)
    assert "# RL Unplugged does not have" in str(error.value)
    assert "curl" not in str(error.value)
    assert not any("unplugged" in path for path in public.asked)


def test_transitions_of_it(tmp_path: pathlib.Path) -> None:
    """Transitions of RL Unplugged are built like those of other layouts."""
    write_unplugged(tmp_path / "Breakout" / NAME, make_episodes([30, 20]))
    builder = build("breakout_mixed_v0", tmp_path, tmp_path / "data")
    dataset = builder.as_dataset(split="train").apply(tfds_atari_replay.transitions())
    assert sum(1 for _ in tfds.as_numpy(dataset)) == 50
