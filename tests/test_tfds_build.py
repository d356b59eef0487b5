"""`tfds build`, as typed."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any

import pytest
from helpers.cases import cases
from helpers.datasets import DUMMY_DATA, ROOT, TFDS

from tfds_atari_replay.fields import VERSION
from tfds_atari_replay.logs import locating


def run_tfds(*arguments: Any, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Runs `tfds build` in a process of its own."""
    command = [str(TFDS), "build", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize("file_format", cases(slow=["tfrecord"], exhaustive=["array_record"]))
def test_tfds_build_by_name(tmp_path: pathlib.Path, file_format: str) -> None:
    """It works from any folder, with --imports."""
    result = run_tfds(
        "atari_replay/breakout_expert_v0",
        "--imports=tfds_atari_replay",
        f"--manual_dir={DUMMY_DATA}",
        f"--data_dir={tmp_path}",
        f"--file_format={file_format}",
        cwd=tmp_path,
    )
    assert not result.returncode, result.stderr
    built = tmp_path / "atari_replay" / "breakout_expert_v0" / VERSION
    assert (built / "dataset_info.json").exists()
    assert list(built.glob(f"*.{file_format}*"))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_tfds_build_by_path(tmp_path: pathlib.Path) -> None:
    """It works in the clone, with --config, twice, with --overwrite."""
    arguments = (
        "tfds_atari_replay/atari_replay",
        "--config=breakout_expert_v4",
        f"--manual_dir={DUMMY_DATA}",
        f"--data_dir={tmp_path}",
    )
    result = run_tfds(*arguments, cwd=ROOT)
    assert not result.returncode, result.stderr
    (info,) = tmp_path.rglob("dataset_info.json")
    first = info.stat().st_mtime_ns
    result = run_tfds(*arguments, cwd=ROOT)
    assert not result.returncode, result.stderr
    assert info.stat().st_mtime_ns == first
    result = run_tfds(*arguments, "--overwrite", cwd=ROOT)
    assert not result.returncode, result.stderr
    assert info.stat().st_mtime_ns > first


@pytest.mark.slow
def test_tfds_build_suggests_names(tmp_path: pathlib.Path) -> None:
    """It does so by path too, where TFDS makes the builder itself."""
    path, config = "tfds_atari_replay/atari_replay", "--config=breakuot_expert_v0"
    result = run_tfds(path, config, f"--data_dir={tmp_path}", cwd=ROOT)
    assert result.returncode
    *_, last = result.stderr.splitlines()
    assert "Unknown config 'breakuot_expert_v0' of atari_replay. Did you mean breakout_exp" in last


@pytest.mark.slow
@pytest.mark.exhaustive
def test_tfds_build_says_what_is_wrong(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line is our own message, and nothing is left behind."""
    monkeypatch.setenv(locating.SOURCE_VARIABLE, "/no/logs")
    result = run_tfds(
        "atari_replay/pong_expert_v0",
        "--imports=tfds_atari_replay",
        f"--manual_dir={DUMMY_DATA}",
        f"--data_dir={tmp_path}",
        cwd=tmp_path,
    )
    assert result.returncode
    assert "No replay logs of Pong run 1, checkpoint 50 or 49. Looked in" in result.stderr
    assert f"1. manual_dir: {DUMMY_DATA} (holds Asterix, Breakout" in result.stderr
    assert not list(tmp_path.rglob("dataset_info.json"))
