"""Checksums: recorded, read, compared, wherever the package lies."""

import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import pytest
import tensorflow_datasets as tfds
from helpers.datasets import DUMMY_DATA, ROOT, TFDS, assert_no_dataset, build, rows
from helpers.public import LOG_FILES, build_public, serve_logs
from helpers.server import Server
from tensorflow_datasets.core.download import checksums
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from tfds_atari_replay import GAMES, ReplayLogError
from tfds_atari_replay.building import downloads
from tfds_atari_replay.configs import SPLITS, Config
from tfds_atari_replay.d4rl_atari.dataset import read_dataset
from tfds_atari_replay.logs import locating


@pytest.fixture
def registry(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """Replaces the package's registry by a copy."""
    path = tmp_path / "package" / "checksums" / "atari_replay.tsv"
    path.parent.mkdir(parents=True)
    shutil.copy(downloads.REGISTRY, path)
    monkeypatch.setattr(downloads, "REGISTRY", path)
    return path


def build_with(data_dir: pathlib.Path, **config: bool) -> Any:
    """Builds Breakout's expert, run 1, from the public copies."""
    builder = tfds.builder("atari_replay/breakout_expert_v0", data_dir=str(data_dir))
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(**config))
    return builder


def recorded(path: pathlib.Path) -> dict[str, Any]:
    """Returns the URLs of a registry, without the names of dummy_data's files."""
    infos = checksums.load_url_infos(path)
    return {url: info for url, info in infos.items() if url.startswith("http")}


def test_checksums_are_recorded_and_compared(
    tmp_path: pathlib.Path, public: Server, registry: pathlib.Path
) -> None:
    """--register_checksums writes them, and later builds refuse files that differ."""
    serve_logs(tmp_path)
    before = checksums.load_url_infos(registry)
    build_with(tmp_path / "data", register_checksums=True)
    urls = recorded(registry)
    assert {url.rpartition("/")[2] for url in urls} == LOG_FILES
    for url, info in urls.items():
        path = DUMMY_DATA / url.removeprefix(f"{public.url}/logs/dqn/")
        assert info == checksums.compute_url_info(path)
        assert info.filename == path.name
    # Nothing that was there is lost.
    assert before.items() <= checksums.load_url_infos(registry).items()

    logs = tmp_path / "public" / "logs" / "dqn" / "Breakout" / "1" / "replay_logs"
    shutil.copy(logs / "$store$_reward_ckpt.10.gz", logs / "$store$_reward_ckpt.50.gz")
    with pytest.raises(NonMatchingChecksumError, match=r"reward_ckpt\.50\.gz.*wrong checksum"):
        build_with(tmp_path / "other")
    assert_no_dataset(tmp_path / "other", "breakout_expert_v0")


def test_forced_validation(tmp_path: pathlib.Path, public: Server, registry: pathlib.Path) -> None:
    """--force_checksums_validation accepts only files with a recorded checksum."""
    serve_logs(tmp_path)
    with pytest.raises(ValueError, match="Missing checksums url: http"):
        build_with(tmp_path / "data", force_checksums_validation=True)
    assert not any("observation" in path for path in public.asked)
    build_with(tmp_path / "other", register_checksums=True)
    build_with(tmp_path / "data", force_checksums_validation=True)
    assert registry.read_text().count(public.url) == 5


@pytest.mark.usefixtures("public")
def test_a_read_only_package(
    tmp_path: pathlib.Path,
    registry: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Checksums go to the user's registry in the data folder, and are read from there."""
    serve_logs(tmp_path)
    before = registry.read_bytes()
    # Permissions do not bind a superuser, as whom tests may run.
    monkeypatch.setattr(os, "access", lambda path, _: path != registry)
    build_with(tmp_path / "data", register_checksums=True)
    assert registry.read_bytes() == before
    users = tmp_path / "data" / "atari_replay" / "checksums.tsv"
    assert {url.rpartition("/")[2] for url in recorded(users)} == LOG_FILES
    # TFDS finds the dataset beside it as ever.
    assert tfds.load("atari_replay/breakout_expert_v0", data_dir=tmp_path / "data")

    logs = tmp_path / "public" / "logs" / "dqn" / "Breakout" / "1" / "replay_logs"
    shutil.copy(logs / "add_count_ckpt.10.gz", logs / "add_count_ckpt.50.gz")
    shutil.rmtree(tmp_path / "data" / "downloads")
    with pytest.raises(NonMatchingChecksumError, match=r"add_count_ckpt\.50\.gz"):
        build_public(tmp_path / "data", "breakout_epoch_50_v0")


@pytest.mark.slow
def test_the_command_records_and_compares(tmp_path: pathlib.Path, public: Server) -> None:
    """`tfds build` with both flags works on a copy of the clone."""
    serve_logs(tmp_path)
    clone = tmp_path / "clone"
    for name in ("tfds_atari_replay", "checksums", "dummy_data"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        **os.environ,
        locating.SOURCE_VARIABLE: f"{public.url}/logs",
        "PYTHONPATH": str(clone),
    }

    def tfds_build(*flags: str) -> subprocess.CompletedProcess[str]:
        command = [str(TFDS), "build"]
        target = ("tfds_atari_replay/atari_replay", "--config=breakout_expert_v0", "--overwrite")
        return subprocess.run(
            [*command, *target, f"--data_dir={tmp_path / 'data'}", *flags],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
        )

    refused = tfds_build("--force_checksums_validation")
    assert "Missing checksums url" in refused.stderr
    registering = tfds_build("--register_checksums")
    assert not registering.returncode, registering.stderr
    assert len(recorded(clone / "checksums" / "atari_replay.tsv")) == 5
    assert not recorded(ROOT / "checksums" / "atari_replay.tsv")
    forced = tfds_build("--force_checksums_validation")
    assert not forced.returncode, forced.stderr


def test_dummy_data_is_compared_when_it_is_read(
    tmp_path: pathlib.Path, registry: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A different file in dummy_data is refused, even a whole one; other logs are not compared."""
    copy = tmp_path / "package" / "dummy_data"
    shutil.copytree(DUMMY_DATA, copy)
    monkeypatch.setattr(downloads, "DUMMY_DATA", copy)
    assert len(rows(build("breakout_expert_v0", copy, tmp_path / "data"))) == 3
    logs = copy / "Breakout" / "1" / "replay_logs"
    shutil.copy(logs / "$store$_reward_ckpt.10.gz", logs / "$store$_reward_ckpt.1.gz")
    with pytest.raises(ReplayLogError, match=r"reward_ckpt\.1\.gz is not the file that .*tsv has"):
        build("breakout_mixed_v0", copy, tmp_path / "data")
    assert_no_dataset(tmp_path / "data" / "atari_replay" / "breakout_mixed_v0", "breakout_mixed_v0")
    monkeypatch.setenv(locating.SOURCE_VARIABLE, str(copy))
    with pytest.raises(ReplayLogError, match=r"reward_ckpt\.1\.gz is not the file that"):
        read_dataset(Config(GAMES["Breakout"], SPLITS["mixed"], 1), stack=False)
    assert rows(build("breakout_medium_v0", copy, tmp_path / "data"))
    copy.rename(tmp_path / "logs")
    assert rows(build("breakout_mixed_v0", tmp_path / "logs", tmp_path / "data"))
    assert registry.exists()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_downloads_of_the_registry_alone(tmp_path: pathlib.Path) -> None:
    """`tfds build --download_only` downloads the URLs of the registry; there are none yet."""
    result = subprocess.run(
        [
            *(str(TFDS), "build", "atari_replay/breakout_expert_v0", "--imports=tfds_atari_replay"),
            *("--download_only", f"--data_dir={tmp_path}"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert not result.returncode, result.stderr


def test_processes_record_in_turn(registry: pathlib.Path) -> None:
    """No process loses what another has recorded."""
    code = f"""
import sys
from etils import epath
from tensorflow_datasets.core.download import checksums
from tfds_atari_replay.building import downloads
for number in range(40):
    notes = downloads.new_notes()
    info = checksums.UrlInfo(number, "0" * 64, "file")
    checksums.save_url_infos(notes, {{f"http://host/{{sys.argv[1]}}/{{number}}": info}})
    downloads.record_checksums(notes, epath.Path({str(registry)!r}))
"""
    before = checksums.load_url_infos(registry)
    processes = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "abc"]
    assert [process.wait() for process in processes] == [0, 0, 0]
    after = checksums.load_url_infos(registry)
    assert set(after) - set(before) == {
        f"http://host/{name}/{number}" for name in "abc" for number in range(40)
    }
    assert before.items() <= after.items()


def test_a_damaged_registry_is_named(registry: pathlib.Path) -> None:
    """The error comes when the registry is needed; the package works without it."""
    registry.write_text(registry.read_text() + "http://host/file\t12")
    with pytest.raises(ValueError, match=rf"{registry} is damaged: expected lines of URL, size"):
        downloads.read_registry()
    builder = tfds.builder("atari_replay/breakout_expert_v0")
    assert builder.info.metadata["game"] == "Breakout"
