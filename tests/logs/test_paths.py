"""Addresses of logs: what epath opens, and what is refused."""

import logging
import pathlib
import shutil
from typing import Any

import pytest
from etils.epath import backend, gpath
from helpers.datasets import DUMMY_DATA, rows
from helpers.public import build_from
from helpers.server import Server

from tfds_atari_replay import GAMES
from tfds_atari_replay.cli.main import main
from tfds_atari_replay.configs import SPLITS, Config
from tfds_atari_replay.d4rl_atari.dataset import read_dataset
from tfds_atari_replay.logs import locating


class Bucket(backend._OsPathBackend):
    """Stands in for epath's backend of gs:// paths, on a local folder."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder

    def _path(self, path: Any) -> str:
        return str(path).replace("gs://", f"{self._folder}/")

    def open(self, path: Any, mode: str) -> Any:
        return super().open(self._path(path), mode)

    def exists(self, path: Any) -> bool:
        return bool(super().exists(self._path(path)))

    def isdir(self, path: Any) -> bool:
        return bool(super().isdir(self._path(path)))

    def listdir(self, path: Any) -> list[str]:
        return list(super().listdir(self._path(path)))

    def stat(self, path: Any) -> Any:
        return super().stat(self._path(path))


def test_other_file_systems(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs are read from whatever epath can list; other schemes are an error."""
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


SECRETS = [
    ("https://user:hush@127.0.0.1:9/logs", "must not hold a user name or a password"),
    ("https://hush@127.0.0.1:9/logs", "must not hold a user name or a password"),
    ("http://user:hu/sh@127.0.0.1:9/logs", "must not hold a user name or a password"),
    ("gs://user:hush@lab", "must not hold a user name or a password"),
    ("user:hush@127.0.0.1:9/logs", "must be a folder or begin with a scheme"),
    ("https:/user:hush@127.0.0.1:9/logs", "must be a folder or begin with a scheme"),
    ("http://127.0.0.1:9/logs?token=hush", r"must be a base .* without '\?' or '#', got one on"),
    ("http://127.0.0.1:9/logs#hush", r"must be a base .* without '\?' or '#'"),
]


@pytest.mark.parametrize(("place", "message"), SECRETS)
def test_secrets_are_refused_where_the_search_ended_before(
    monkeypatch: pytest.MonkeyPatch, place: str, message: str
) -> None:
    """Messages name all origins, even those that are not asked, so all are checked."""
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
    """Secrets are refused from the variable, manual_dir and `inspect`, and never stored."""
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
    """The netrc line from the message works for asking and for downloading."""
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
