"""Where logs are looked for, in which order, and what the user is told."""

import logging
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from etils import epath
from helpers.datasets import DUMMY_DATA, assert_no_dataset, build, rows
from helpers.logs import Truth, copy_to_cache, log_folder, make_episodes, write_log
from helpers.processes import unprivileged
from helpers.public import (
    LOG_FILES,
    LOGS,
    UNPLUGGED,
    build_from,
    build_public,
    serve_logs,
    serve_unplugged,
)
from helpers.server import Server
from helpers.unplugged import write_unplugged

from tfds_atari_replay import GAMES
from tfds_atari_replay.building import downloads
from tfds_atari_replay.configs import SPLITS, Config
from tfds_atari_replay.d4rl_atari.dataset import read_dataset
from tfds_atari_replay.logs import locating
from tfds_atari_replay.logs.layouts.dopamine import DopamineLayout


def test_places_in_order(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Origins are tried in this order: manual_dir, the variable, d4rl-atari's cache."""
    for name, length in (("manual", 30), ("variable", 40), ("cache", 50)):
        write_log(log_folder(tmp_path / name), 10 * length, make_episodes([length]))
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(tmp_path / "variable"))
    monkeypatch.setenv(locating.CACHE_VARIABLE, str(tmp_path / "cache"))
    for name, length in (("manual", 30), ("variable", 40), ("cache", 50)):
        builder = build("breakout_epoch_0_v0", tmp_path / "manual", tmp_path / name / "data")
        assert len(rows(builder)[0]["steps"]) == length + 1
        shutil.rmtree(tmp_path / name / "Breakout")


def test_d4rl_ataris_cache_is_where_it_is(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """d4rl-atari's cache is ~/.d4rl/datasets unless the variable says otherwise."""
    monkeypatch.delenv(locating.CACHE_VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    copy_to_cache(LOGS, tmp_path / ".d4rl" / "datasets" / "Breakout" / "1", 10)
    builder = build("breakout_medium_v0", tmp_path / "nothing", tmp_path / "data")
    assert builder.info.metadata["source"] == "d4rl_atari"


def test_only_the_files_of_the_config_are_downloaded(
    tmp_path: pathlib.Path, public: Server
) -> None:
    """Files are downloaded once; later builds of the checkpoint take them from the cache."""
    serve_logs(tmp_path)
    builder = build_public(tmp_path / "data")
    assert set(public.downloads) == LOG_FILES
    # The smallest is asked for before.
    assert sorted(public.downloads.values()) == [1, 1, 1, 1, 2]
    assert len(rows(builder)) == 3

    before = len([path for path in public.asked if "observation" in path])
    build_public(tmp_path / "data", "breakout_epoch_50_v0")
    shutil.rmtree(builder.data_path)
    build_public(tmp_path / "data")
    assert len([path for path in public.asked if "observation" in path]) == before == 1


def test_expert_falls_back_to_49_on_a_server(tmp_path: pathlib.Path, public: Server) -> None:
    serve_logs(tmp_path)
    builder = build_public(tmp_path / "data", "breakout_expert_v4")
    assert builder.info.metadata["checkpoints"] == [49]
    assert "add_count_ckpt.50.gz" in public.downloads


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_closed_bucket_leads_to_rl_unplugged(
    status: int, tmp_path: pathlib.Path, public: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning says that RL Unplugged is read; its last checkpoint is 49."""
    public.answers["ckpt.50.gz"] = public.answers["ckpt.49.gz"] = [status]
    serve_unplugged(tmp_path)
    builder = build_public(tmp_path / "data")
    assert builder.info.metadata["source"] == "rl_unplugged"
    assert builder.info.metadata["checkpoints"] == [49]
    (message,) = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert "\n" not in message
    assert message == (
        f"Breakout run 1 checkpoint 49: read from {public.url}/unplugged/atari_episodes_ordered, "
        "rl_unplugged, since not in /no/cache (does not exist); "
        f"{public.url}/logs/dqn (answers {status})"
    )


def test_an_unreachable_server_is_no_closed_bucket(
    tmp_path: pathlib.Path, public: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A config must not mean other data because a network was down."""
    monkeypatch.setattr(DopamineLayout, "public_url", "http://127.0.0.1:9/logs")
    serve_unplugged(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"(?s)public logs: .*\(cannot be reached: .*Unplugged.*not asked"
    ):
        build_public(tmp_path / "data")
    assert not public.asked
    public.answers["ckpt.50.gz"] = [500]
    monkeypatch.setattr(DopamineLayout, "public_url", f"{public.url}/logs")
    with pytest.raises(FileNotFoundError, match=r"cannot be reached: .*too many 500"):
        build_public(tmp_path / "data")
    assert_no_dataset(tmp_path / "data", "breakout_expert_v0")


def test_a_status_that_means_no_such_file_leads_to_the_next_checkpoint(
    tmp_path: pathlib.Path, public: Server
) -> None:
    """49 is taken for 50."""
    serve_logs(tmp_path)
    public.answers["ckpt.50.gz"] = [410]
    assert build_public(tmp_path / "data").info.metadata["checkpoints"] == [49]


def test_a_status_that_says_nothing_ends_the_search(tmp_path: pathlib.Path, public: Server) -> None:
    """An inconclusive status must not change which data a config means."""
    serve_logs(tmp_path)
    serve_unplugged(tmp_path)
    public.answers["ckpt.50.gz"] = [423]
    with pytest.raises(FileNotFoundError, match=r"cannot be reached: it answers 423"):
        build_public(tmp_path / "data")


def test_the_variable_overrides_the_public_places(tmp_path: pathlib.Path, public: Server) -> None:
    """The public copies are not asked, whether the variable's origin has the logs or not."""
    serve_logs(tmp_path)
    assert len(rows(build_from(DUMMY_DATA, tmp_path / "data"))) == 3
    with pytest.raises(FileNotFoundError, match=r"not in the public copies, since \$ATARI_REPLAY"):
        build_from(tmp_path / "nothing", tmp_path / "other")
    assert not public.asked


def test_a_cache_that_lacks_the_checkpoint_does_not_hide_the_public_logs(
    tmp_path: pathlib.Path, public: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike a folder that the user named, the cache is only tried in passing."""
    serve_logs(tmp_path)
    copy_to_cache(LOGS, tmp_path / "cache" / "Breakout" / "1", 10)
    monkeypatch.setenv(locating.CACHE_VARIABLE, str(tmp_path / "cache"))
    assert build_public(tmp_path / "data").info.metadata["source"] == "dopamine"
    assert public.asked
    medium = build_public(tmp_path / "data", "breakout_medium_v0")
    assert medium.info.metadata["source"] == "d4rl_atari"
    # Nor does a download of d4rl-atari's that broke off.
    copy_to_cache(LOGS, tmp_path / "cache" / "Breakout" / "1", 49)
    (tmp_path / "cache" / "Breakout" / "1" / "49" / "reward.gz").unlink()
    builder = build_public(tmp_path / "data", "breakout_epoch_49_v0")
    assert builder.info.metadata["source"] == "dopamine"


def test_the_message_when_nothing_is_found(tmp_path: pathlib.Path, public: Server) -> None:
    """The message lists the origins in order, what each holds, and three ways out."""
    public.answers["gz"] = [403]
    with pytest.raises(FileNotFoundError) as error:
        build("breakout_expert_v0", tmp_path / "empty", tmp_path / "data")
    message = str(error.value)
    for line in (
        "No replay logs of Breakout run 1, checkpoint 50 or 49. Looked in, in this order:",
        f"  1. manual_dir: {tmp_path / 'empty'} (does not exist)",
        "  2. $ATARI_REPLAY_SOURCE: not set",
        "  3. d4rl-atari's cache ($D4RL_DATASET_DIR): /no/cache (does not exist)",
        f"  4. the public logs: {public.url}/logs/dqn (answers 403)",
        f"  5. RL Unplugged: {public.url}/unplugged/atari_episodes_ordered (answers 404)",
        "  export ATARI_REPLAY_SOURCE=LOGS",
        f"  curl --fail --create-dirs -o LOGS/{UNPLUGGED} "
        f"{public.url}/unplugged/atari_episodes_ordered/{UNPLUGGED}",
        "  python -m tfds_atari_replay record --steps 500000 --capacity 10000 breakout --run 1 "
        "--out LOGS",
    ):
        assert line in message.splitlines()


def test_its_ways_out_are_ways_out(tmp_path: pathlib.Path, public: Server) -> None:
    """The commands in the message lead to data when pasted into a shell."""
    public.answers["gz"] = [403]
    with pytest.raises(FileNotFoundError) as error:
        build_public(tmp_path / "data")
    serve_unplugged(tmp_path)
    lines = str(error.value).splitlines()
    (curl,) = [line for line in lines if line.startswith("  curl")]
    if shutil.which("curl"):
        subprocess.run(["sh", "-c", curl], cwd=tmp_path, check=True, capture_output=True)
        assert len(rows(build_from(tmp_path / "LOGS", tmp_path / "data"))) == 2
        shutil.rmtree(tmp_path / "LOGS")
    (record,) = [line for line in lines if line.startswith("  python")]
    record = (
        record.replace("500000", "1500").replace("10000", "30").replace("  python", sys.executable)
    )
    subprocess.run(["sh", "-c", record], cwd=tmp_path, check=True, capture_output=True)
    builder = build_from(tmp_path / "LOGS", tmp_path / "recorded")
    assert builder.info.metadata["checkpoints"] == [50]


def test_find_says_what_it_found_and_why(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`why` is one line for people; files in a folder are not downloads."""
    found = locating.locate(
        Config(GAMES["Breakout"], SPLITS["epoch_10"], 1), manual_dir=DUMMY_DATA
    )[0]
    assert found.why == f"Breakout run 1 checkpoint 10: read from {LOGS}, dopamine"
    assert not found.files.is_download
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(DUMMY_DATA))
    assert not caplog.messages
    config = Config(GAMES["Breakout"], SPLITS["epoch_10"], 1)
    found = locating.locate(config, manual_dir=tmp_path)[0]
    assert found.why.endswith(f", since not in {tmp_path} (is empty)")
    # The user named a folder, and gets data from elsewhere.
    assert caplog.messages == [found.why]


def test_get_dataset_takes_downloads_and_rl_unplugged(
    tmp_path: pathlib.Path, public: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """get_dataset downloads; RL Unplugged's steps come in time order, without padding."""
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "data"))
    serve_logs(tmp_path)
    dataset = read_dataset(Config(GAMES["Breakout"], SPLITS["expert"], 1), stack=False)
    assert dataset["observations"].shape == (1499, 1, 84, 84)
    assert set(public.downloads) == LOG_FILES
    assert downloads.default_manager().download_dir == epath.Path(tmp_path / "data" / "downloads")

    truths = make_episodes([4, 6], last_is_cut=True)
    # A terminal state alone, as of an episode that ended with the checkpoint before, is no row.
    alone = Truth(truths[0].frames[:0], truths[0].action[:0], truths[0].reward[:0])
    folder = tmp_path / "public" / "unplugged" / "atari_episodes_ordered" / "Pong"
    write_unplugged(folder / "run_1-00010-of-00050", [alone, *truths])
    dataset = read_dataset(Config(GAMES["Pong"], SPLITS["medium"], 1), stack=True)
    assert dataset["terminals"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert dataset["actions"].tolist() == [*truths[0].action, *truths[1].action]
    assert dataset["rewards"].tolist() == [*truths[0].reward, *truths[1].reward]
    frames = [*truths[0].frames, *truths[1].frames]
    for stack, frame in zip(dataset["observations"], frames, strict=True):
        np.testing.assert_array_equal(stack[-1], frame)


def test_folders_that_may_not_be_listed(
    tmp_path: pathlib.Path, public: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unlistable cache is passed over; an unlistable folder that was named is an error."""
    serve_logs(tmp_path)
    closed = tmp_path / "closed"
    closed.mkdir()
    monkeypatch.setenv(locating.CACHE_VARIABLE, str(closed))
    closed.chmod(0)
    with unprivileged(closed):
        found = locating.locate(Config(GAMES["Breakout"], SPLITS["epoch_1"], 1), manual_dir=None)[0]
        assert found.files.is_download
        assert f"{closed} (cannot be listed: Permission denied)" in found.why
        with pytest.raises(
            FileNotFoundError,
            match=r"(?s)manual_dir: \S*closed \(cannot be listed: Permission.*public.*not asked",
        ):
            locating.locate(Config(GAMES["Breakout"], SPLITS["epoch_1"], 1), manual_dir=closed)[0]
    closed.chmod(0o700)
    assert public.asked
