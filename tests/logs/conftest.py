"""Fixtures of the tests of logs."""

from __future__ import annotations

import pathlib

import pytest
from helpers.damage import CAPACITY
from helpers.logs import log_folder, make_episodes, write_log


@pytest.fixture
def log(tmp_path: pathlib.Path) -> pathlib.Path:
    """A run of Breakout with the checkpoints 0, 1 and 2; the folder of its files."""
    write_log(log_folder(tmp_path), CAPACITY, make_episodes([30, 30, 40]))
    return log_folder(tmp_path)
