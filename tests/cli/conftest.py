"""Fixtures for the tests of commands."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from tfds_atari_replay.cli.main import main


@pytest.fixture
def data_dir(expert: Any) -> pathlib.Path:
    """The data_dir in which breakout_expert_v0 is prepared."""
    return pathlib.Path(expert.data_path.parents[2])


@pytest.fixture
def error_of(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[list[str]], str]:
    """Runs a command that must fail and must write nothing; returns the error that it prints."""

    def run(arguments: list[str]) -> str:
        monkeypatch.chdir(tmp_path)
        before = os.listdir()
        assert main(arguments) == 1
        assert os.listdir() == before
        return capsys.readouterr().err

    return run
