"""Servers that fail, when they are asked and while files are downloaded."""

import gzip
import os
import pathlib
import subprocess
import time
from collections.abc import Iterator

import pytest
import tensorflow_datasets as tfds
from helpers.cases import cases
from helpers.datasets import TFDS, assert_no_dataset, rows
from helpers.public import LOG_FILES, build_from, build_public, serve_logs, serve_unplugged
from helpers.server import CUT, OK, SHORT, SLOW, STALL, Server

from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.logs import locating, servers


@pytest.fixture
def server(tmp_path: pathlib.Path) -> Iterator[Server]:
    """A server with one file."""
    (tmp_path / "file").write_bytes(b"content")
    with Server(tmp_path) as server:
        yield server


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_status_that_says_that_a_file_is_not_there(server: Server, status: int) -> None:
    server.answers["/file"] = [status]
    assert servers.ask(f"{server.url}/file") == status


def test_a_file_that_is_there(server: Server) -> None:
    """Only a server that has it says 200."""
    assert servers.ask(f"{server.url}/file") == 200
    assert servers.ask(f"{server.url}/other") == 404


@pytest.mark.parametrize("status", [407, 408, 423, 425, 501, 520])
def test_a_status_that_says_nothing_about_a_file(server: Server, status: int) -> None:
    server.answers["/file"] = [status]
    with pytest.raises(servers.UnreachableError, match=f"^it answers {status}$"):
        servers.ask(f"{server.url}/file")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", cases(503, slow=[429, 500, 502, 504]))
def test_a_status_that_may_pass(server: Server, status: int) -> None:
    """The server is asked again, five times at most."""
    server.answers["/file"] = [status, status, OK]
    assert servers.ask(f"{server.url}/file") == 200
    assert len(server.asked) == 3
    server.answers["/file"] = [status]
    with pytest.raises(servers.UnreachableError, match=f"too many {status} error responses"):
        servers.ask(f"{server.url}/file")
    assert len(server.asked) == 3 + 6


def test_nobody_answers() -> None:
    with pytest.raises(servers.UnreachableError, match="Connection refused"):
        servers.ask("http://127.0.0.1:9/file")


def test_a_server_that_recovers(tmp_path: pathlib.Path, public: Server) -> None:
    """Server errors are retried, when asking and when downloading; slowness is no error."""
    serve_logs(tmp_path)
    public.answers["add_count_ckpt.50.gz"] = [500, 503, OK]
    public.answers["observation_ckpt.50.gz"] = [502, 500, OK]
    public.answers["action_ckpt.50.gz"] = [SLOW]
    assert len(rows(build_public(tmp_path / "data"))) == 3


@pytest.mark.parametrize("name", ["$store$_observation_ckpt.50.gz", "$store$_reward_ckpt.50.gz"])
def test_a_connection_that_breaks(name: str, tmp_path: pathlib.Path, public: Server) -> None:
    """Partial downloads are never used; complete ones are kept for the next build."""
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
    """A gzip file without its end is refused, deleted, and downloaded again."""
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
    """The next build does not use the partial download."""
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
    """The checkpoint exists, so no other is tried; the message names the missing file."""
    serve_logs(tmp_path)
    serve_unplugged(tmp_path)
    public.answers["action_ckpt.50.gz"] = [404]
    with pytest.raises(OSError, match=r"A download failed: .*action_ckpt\.50\.gz\. HTTP code: 404"):
        build_public(tmp_path / "data")


@pytest.mark.slow
def test_builds_at_the_same_time_share_downloads(tmp_path: pathlib.Path, public: Server) -> None:
    """Two processes build two configs of one checkpoint with one cache."""
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


@pytest.mark.parametrize(
    "damage",
    [b"not gzip at all", gzip.compress(b"\x93NUMPY\x01\x00\x08\x00(1, [{}((")],
    ids=["no gzip", "no header"],
)
def test_a_broken_download_is_deleted_whatever_is_wrong_with_it(
    tmp_path: pathlib.Path, public: Server, damage: bytes
) -> None:
    """The next build downloads the file again, instead of failing on the same one."""
    serve_logs(tmp_path)
    logs = tmp_path / "public" / "logs" / "dqn" / "Breakout" / "1" / "replay_logs"
    whole = (logs / "$store$_terminal_ckpt.50.gz").read_bytes()
    (logs / "$store$_terminal_ckpt.50.gz").write_bytes(damage)
    with pytest.raises(ReplayLogError, match="It was a download and is deleted now"):
        build_public(tmp_path / "data")
    (logs / "$store$_terminal_ckpt.50.gz").write_bytes(whole)
    assert len(rows(build_public(tmp_path / "data"))) == 3
    assert public.asked
