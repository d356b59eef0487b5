"""Where logs are found, in which order, and what comes of servers that fail."""

import gzip
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from etils import epath
from etils.epath import backend, gpath
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, TFDS, assert_no_dataset, build, rows
from helpers.logs import Truth, copy_to_cache, log_folder, make_episodes, write_log
from helpers.processes import unprivileged
from helpers.public import LOG_FILES, build_public, serve_logs
from helpers.server import CUT, OK, SHORT, SLOW, STALL, Server
from helpers.unplugged import write_unplugged

from tfds_atari_replay import GAMES, ReplayLogError
from tfds_atari_replay.building import downloads
from tfds_atari_replay.cli.main import main
from tfds_atari_replay.configs import SPLITS, Config
from tfds_atari_replay.d4rl_atari.dataset import read_dataset
from tfds_atari_replay.logs import locating
from tfds_atari_replay.logs.layouts.dopamine import DopamineLayout

LOGS = DUMMY_DATA / "Breakout" / "1" / "replay_logs"
UNPLUGGED = "Breakout/run_1-00049-of-00050"


def build_from(place: Any, data_dir: pathlib.Path, config: str = "breakout_expert_v0") -> Any:
    """Builds without a manual_dir, with the variable set to a place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(locating.SOURCE_VARIABLE, str(place))
        return build_public(data_dir, config)


def serve_unplugged(folder: pathlib.Path, name: str = UNPLUGGED) -> None:
    """Puts a file where RL Unplugged's are."""
    path = folder / "public" / "unplugged" / "atari_episodes_ordered" / name
    write_unplugged(path, make_episodes([4, 6]))


def make_layout(root: pathlib.Path, layout: str) -> None:
    """Writes checkpoint 49 of Breakout run 1 in one of the layouts, 'dqn/' and all."""
    prefix, _, kind = layout.rpartition("/")
    if kind == "dopamine":
        shutil.copytree(LOGS, root / prefix / "Breakout" / "1" / "replay_logs")
        for path in root.rglob("*ckpt.50.gz"):
            path.unlink()
    elif kind == "d4rl_atari":
        copy_to_cache(LOGS, root / prefix / "Breakout" / "1", 49)
    else:
        write_unplugged(root / prefix / UNPLUGGED, make_episodes([4, 6]))


@pytest.mark.parametrize(
    ("is_online", "layout"),
    cases(
        (True, "dopamine"),
        (False, "dqn/d4rl_atari"),
        (True, "rl_unplugged"),
        (False, "atari_episodes_ordered/rl_unplugged"),
        slow=[
            (False, "dopamine"),
            (True, "dqn/dopamine"),
            (False, "dqn/dopamine"),
            (True, "d4rl_atari"),
            (False, "d4rl_atari"),
            (True, "dqn/d4rl_atari"),
            (False, "rl_unplugged"),
            (True, "atari_episodes_ordered/rl_unplugged"),
        ],
    ),
)
def test_every_layout_is_read_from_folders_and_servers(
    tmp_path: pathlib.Path, layout: str, is_online: bool
) -> None:
    """With the folder that the public bucket has above it, or without."""
    # Blanks, percent signs and the like may be in a base.
    root = tmp_path / "my logs 100%"
    make_layout(root, layout)
    with Server(tmp_path) as server:
        place = f"{server.url}/my%20logs%20100%25/" if is_online else root
        builder = build_from(place, tmp_path / "data")
    assert builder.info.metadata["source"] == layout.rpartition("/")[2]
    assert builder.info.metadata["checkpoints"] == [49]
    assert len(rows(builder)) == 2


def test_places_in_order(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """manual_dir, the variable, d4rl-atari's cache; each run of the game has another length."""
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
    """~/.d4rl/datasets, if the variable does not say otherwise."""
    monkeypatch.delenv(locating.CACHE_VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    copy_to_cache(LOGS, tmp_path / ".d4rl" / "datasets" / "Breakout" / "1", 10)
    builder = build("breakout_medium_v0", tmp_path / "nothing", tmp_path / "data")
    assert builder.info.metadata["source"] == "d4rl_atari"


def test_dopamines_logs_win_over_other_layouts(tmp_path: pathlib.Path) -> None:
    """In one folder, then the cache; nothing is mixed."""
    for layout in ("dopamine", "d4rl_atari", "rl_unplugged"):
        make_layout(tmp_path, layout)
    for layout in ("dopamine", "d4rl_atari", "rl_unplugged"):
        builder = build("breakout_expert_v0", tmp_path, tmp_path / "data" / layout)
        assert builder.info.metadata["source"] == layout
        folder = tmp_path / "Breakout" / "1"
        shutil.rmtree(folder / ("replay_logs" if layout == "dopamine" else "49"), True)


class Bucket(backend._OsPathBackend):
    """What epath opens gs:// paths with, on a folder; the rest as always."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder

    def _path(self, path: str) -> str:
        return path.replace("gs://", f"{self._folder}/")

    def open(self, path: str, mode: str) -> Any:
        return super().open(self._path(path), mode)

    def exists(self, path: str) -> bool:
        return bool(super().exists(self._path(path)))

    def isdir(self, path: str) -> bool:
        return bool(super().isdir(self._path(path)))

    def listdir(self, path: str) -> list[str]:
        return list(super().listdir(self._path(path)))

    def stat(self, path: str) -> Any:
        return super().stat(self._path(path))


def test_other_file_systems(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever epath opens, and an error for what it does not."""
    shutil.copytree(DUMMY_DATA, tmp_path / "lab" / "dqn")
    monkeypatch.setattr(gpath._GPath, "_backend", Bucket(tmp_path))
    builder = build_from("gs://lab", tmp_path / "data")
    assert builder.info.metadata["checkpoints"] == [50]
    assert len(rows(builder)) == 3
    with pytest.raises(
        FileNotFoundError, match=r"gs://no \(does not exist, or cannot be reached\)"
    ):
        build_from("gs://no", tmp_path / "other")
    with pytest.raises(ValueError, match="Cannot list ftp://lab: expected a folder, or a gs://"):
        build_from("ftp://lab", tmp_path / "other")


def test_only_the_files_of_the_config_are_downloaded(
    tmp_path: pathlib.Path, public: Server
) -> None:
    """Each once; a later build, and another config of the checkpoint, take them from the cache."""
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
    """As in a folder."""
    serve_logs(tmp_path)
    builder = build_public(tmp_path / "data", "breakout_expert_v4")
    assert builder.info.metadata["checkpoints"] == [49]
    assert "add_count_ckpt.50.gz" in public.downloads


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_closed_bucket_leads_to_rl_unplugged(
    status: int, tmp_path: pathlib.Path, public: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """With one line that says so; the last checkpoint there is 49."""
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


def test_games_with_49_files(tmp_path: pathlib.Path, public: Server) -> None:
    """Their names say so, and expert is the last of them."""
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
    """It is not asked, and the message says so."""
    with pytest.raises(FileNotFoundError, match=r"RL Unplugged.*does not have") as error:
        build_public(tmp_path / "data", config)
    assert "# RL Unplugged does not have" in str(error.value)
    assert "curl" not in str(error.value)
    assert not any("unplugged" in path for path in public.asked)


def test_the_variable_overrides_the_public_places(tmp_path: pathlib.Path, public: Server) -> None:
    """They are not asked, whether it has the logs or not."""
    serve_logs(tmp_path)
    assert len(rows(build_from(DUMMY_DATA, tmp_path / "data"))) == 3
    with pytest.raises(FileNotFoundError, match=r"not in the public copies, since \$ATARI_REPLAY"):
        build_from(tmp_path / "nothing", tmp_path / "other")
    assert not public.asked


def test_a_cache_that_lacks_the_checkpoint_does_not_hide_the_public_logs(
    tmp_path: pathlib.Path, public: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unlike a folder that was named: its user did not ask for it."""
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


def test_a_server_that_recovers(tmp_path: pathlib.Path, public: Server) -> None:
    """Errors of the server are tried again, when asking and when downloading; slowness is none."""
    serve_logs(tmp_path)
    public.answers["add_count_ckpt.50.gz"] = [500, 503, OK]
    public.answers["observation_ckpt.50.gz"] = [502, 500, OK]
    public.answers["action_ckpt.50.gz"] = [SLOW]
    assert len(rows(build_public(tmp_path / "data"))) == 3


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


@pytest.mark.parametrize("name", ["$store$_observation_ckpt.50.gz", "$store$_reward_ckpt.50.gz"])
def test_a_connection_that_breaks(name: str, tmp_path: pathlib.Path, public: Server) -> None:
    """What came is never taken for the file; what came whole is kept; the next build goes on."""
    serve_logs(tmp_path)
    public.answers[name] = [CUT]
    with pytest.raises(OSError, match=r"(?s)A download failed: .*Run again to go on"):
        build_public(tmp_path / "data")
    # TFDS does not wait for the other downloads before it says that one failed.
    cache = tmp_path / "data" / "downloads" / "atari_replay"
    deadline = time.monotonic() + 10
    while len(list(cache.glob("*.gz"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(list(cache.glob("*.gz"))) == 4
    assert_no_dataset(tmp_path / "data", "breakout_expert_v0")
    public.answers[name] = [OK]
    asked = public.downloads["$store$_action_ckpt.50.gz"]
    assert len(rows(build_public(tmp_path / "data"))) == 3
    assert public.downloads["$store$_action_ckpt.50.gz"] == asked


@pytest.mark.parametrize(
    "name", ["observation_ckpt.50.gz", "reward_ckpt.50.gz", "run_1-00049-of-00050"]
)
def test_a_server_that_sends_less_than_the_file(
    name: str, tmp_path: pathlib.Path, public: Server
) -> None:
    """The end of the gzip file is missing: it is refused, deleted, and downloaded again."""
    if "run" in name:
        serve_unplugged(tmp_path)
    else:
        serve_logs(tmp_path)
    public.answers[name] = [SHORT]
    with pytest.raises(ReplayLogError, match=r"damaged.*It was a download and is deleted now"):
        build_public(tmp_path / "data")
    assert_no_dataset(tmp_path / "data", "breakout_expert_v0")
    public.answers[name] = [OK]
    assert rows(build_public(tmp_path / "data"))


@pytest.mark.slow
def test_a_build_that_is_killed_while_it_downloads(tmp_path: pathlib.Path, public: Server) -> None:
    """What came is not taken for the file by the next build."""
    serve_logs(tmp_path)
    public.answers["observation_ckpt.50.gz"] = [STALL]
    command = (str(TFDS), "build", "atari_replay/breakout_expert_v0", "--imports=tfds_atari_replay")
    with subprocess.Popen(
        [*command, f"--data_dir={tmp_path / 'data'}"],
        env={**os.environ, locating.SOURCE_VARIABLE: f"{public.url}/logs"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        cache = tmp_path / "data" / "downloads" / "atari_replay"
        while not any(path.stat().st_size for path in cache.glob("*.tmp.*/*observation*")):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    assert_no_dataset(tmp_path / "data" / "atari_replay", "breakout_expert_v0")
    public.answers.clear()
    assert len(rows(build_from(f"{public.url}/logs", tmp_path / "data"))) == 3


def test_a_file_that_is_missing_on_the_server(tmp_path: pathlib.Path, public: Server) -> None:
    """The checkpoint is there, so nothing else is taken; the message names the file."""
    serve_logs(tmp_path)
    serve_unplugged(tmp_path)
    public.answers["action_ckpt.50.gz"] = [404]
    with pytest.raises(OSError, match=r"A download failed: .*action_ckpt\.50\.gz\. HTTP code: 404"):
        build_public(tmp_path / "data")


@pytest.mark.slow
def test_builds_at_the_same_time_share_downloads(tmp_path: pathlib.Path, public: Server) -> None:
    """Two processes, two configs of one checkpoint, one cache."""
    serve_logs(tmp_path)
    public.answers["ckpt.50.gz"] = [SLOW]
    environment = {**os.environ, locating.SOURCE_VARIABLE: f"{public.url}/logs"}
    builds = [
        subprocess.Popen(
            [
                *(str(TFDS), "build", f"atari_replay/{config}", "--imports=tfds_atari_replay"),
                f"--data_dir={tmp_path / 'data'}",
            ],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for config in ("breakout_expert_v0", "breakout_epoch_50_v0")
    ]
    for process in builds:
        _, errors = process.communicate()
        assert not process.returncode, errors
    for config in ("breakout_expert_v0", "breakout_epoch_50_v0"):
        assert len(rows(tfds.builder(f"atari_replay/{config}", data_dir=tmp_path / "data"))) == 3
    cached = (tmp_path / "data" / "downloads" / "atari_replay").iterdir()
    assert len([path for path in cached if path.suffix == ".gz"]) == 5
    arrays = LOG_FILES - {"add_count_ckpt.50.gz"}  # which is how a server is asked
    assert {name: public.downloads[name] for name in arrays} == dict.fromkeys(arrays, 1)


def test_the_message_when_nothing_is_found(tmp_path: pathlib.Path, public: Server) -> None:
    """What was looked for, where, in which order, what was there, and three lines to paste."""
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
    """The lines of the message, pasted into a shell, lead to data; the record shortened."""
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
    """In a line for people; a file of a folder is no download."""
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
    """d4rl-atari downloaded too. Steps of RL Unplugged come in the order of time, no zero rows."""
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


SECRETS = [
    ("https://user:hush@127.0.0.1:9/logs", "must not hold a user name or a password"),
    ("https://hush@127.0.0.1:9/logs", "must not hold a user name or a password"),
    ("http://user:hu/sh@127.0.0.1:9/logs", "must not hold a user name or a password"),
    ("gs://user:hush@lab", "must not hold a user name or a password"),
    ("user:hush@127.0.0.1:9/logs", "must be a folder or begin with a scheme"),
    ("https:/user:hush@127.0.0.1:9/logs", "must be a folder or begin with a scheme"),
    ("http://127.0.0.1:9/logs?token=hush", r"must be a base .* without '\?' or '#', got such an"),
    ("http://127.0.0.1:9/logs#hush", r"must be a base .* without '\?' or '#'"),
]


@pytest.mark.parametrize(("place", "message"), SECRETS)
def test_secrets_are_refused_where_the_search_ended_before(
    monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    """The message names all places, also those that are not asked."""
    monkeypatch.setenv(locating.SOURCE_VARIABLE, place)
    with pytest.raises(ValueError, match=rf"\$ATARI_REPLAY_SOURCE {message}") as error:
        locating.locate(
            Config(GAMES["Breakout"], SPLITS["epoch_1"], 1), manual_dir="http://127.0.0.1:9/logs"
        )[0]
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(("place", "message"), SECRETS)
def test_secrets_in_an_address_are_refused_and_never_shown(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    place: str,
    message: str,
) -> None:
    """Neither by the variable, nor by manual_dir, nor to inspect; not in what is left behind."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ValueError, match=rf"\$ATARI_REPLAY_SOURCE {message}") as error:
        build_from(place, tmp_path / "data")
    assert "hush" not in str(error.value)
    assert "hush" not in "".join(map(str, error.value.args))
    with pytest.raises(ValueError, match=rf"manual_dir {message}"):
        locating.locate(Config(GAMES["Breakout"], SPLITS["epoch_1"], 1), manual_dir=place)[0]
    assert main(["inspect", place]) == 1
    monkeypatch.setenv(locating.SOURCE_VARIABLE, place)
    with pytest.raises(ValueError, match=message):
        read_dataset(Config(GAMES["Breakout"], SPLITS["mixed"], 1), stack=False)
    assert "hush" not in caplog.text
    assert "hush" not in "".join(capfd.readouterr())
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"hush" in path.read_bytes() for path in written)


def test_the_way_that_works_for_credentials(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """~/.netrc, as the message says it, for asking and for downloading."""
    shutil.copytree(DUMMY_DATA, tmp_path / "public")
    with Server(tmp_path / "public", password="Basic dXNlcjpzZWNyZXQ=") as server:
        with pytest.raises(FileNotFoundError, match="answers 401"):
            build_from(server.url, tmp_path / "data")
        with pytest.raises(
            ValueError, match=r"machine 127.0.0.1 login USER password PASS"
        ) as error:
            build_from(server.url.replace("//", "//user:secret@"), tmp_path / "data")
        line = str(error.value).splitlines()[-1].strip()
        netrc = tmp_path / "netrc"
        netrc.write_text(line.replace("USER", "user").replace("PASSWORD", "secret"))
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        assert len(rows(build_from(server.url, tmp_path / "data"))) == 3
    records = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not any(b"secret" in path.read_bytes() for path in records)


@pytest.mark.parametrize("status", [400, 410, 451])
def test_whatever_says_that_a_file_is_not_there(
    status: int, tmp_path: pathlib.Path, public: Server
) -> None:
    """Of checkpoint 50 leads to 49."""
    serve_logs(tmp_path)
    public.answers["ckpt.50.gz"] = [status]
    builder = build_public(tmp_path / "data")
    assert builder.info.metadata["checkpoints"] == [49]


@pytest.mark.parametrize("status", cases(423, 501, slow=[408, 425, 429, 520]))
def test_what_says_nothing_of_a_file_ends_the_search(
    status: int, tmp_path: pathlib.Path, public: Server
) -> None:
    """As an unreachable server does; a config must not mean other data for it."""
    serve_logs(tmp_path)
    public.answers["ckpt.50.gz"] = [status]
    with pytest.raises(FileNotFoundError, match=rf"cannot be reached: .*{status}"):
        build_public(tmp_path / "data")


def test_folders_that_may_not_be_listed(
    tmp_path: pathlib.Path, public: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache nobody named is passed over; of a folder that was named, the search says so."""
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


@pytest.mark.parametrize(
    "damage",
    [b"not gzip at all", gzip.compress(b"\x93NUMPY\x01\x00\x08\x00(1, [{}((")],
    ids=["no gzip", "no header"],
)
def test_a_broken_download_is_deleted_whatever_is_wrong_with_it(
    tmp_path: pathlib.Path, public: Server, damage: bytes
) -> None:
    """So that the next build does not meet it again."""
    serve_logs(tmp_path)
    logs = tmp_path / "public" / "logs" / "dqn" / "Breakout" / "1" / "replay_logs"
    whole = (logs / "$store$_terminal_ckpt.50.gz").read_bytes()
    (logs / "$store$_terminal_ckpt.50.gz").write_bytes(damage)
    with pytest.raises(ReplayLogError, match="It was a download and is deleted now"):
        build_public(tmp_path / "data")
    (logs / "$store$_terminal_ckpt.50.gz").write_bytes(whole)
    assert len(rows(build_public(tmp_path / "data"))) == 3
    assert public.asked
