"""Ctrl-C while `atari-replay` is imported."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time

import pytest
from helpers.datasets import TFDS


@pytest.mark.parametrize("seconds", [0.3, 0.6, 1.0, 2.0])
def test_an_interrupt_is_one_line(seconds: float, tmp_path: pathlib.Path) -> None:
    """It may come while TFDS is imported, or later."""
    command = [str(TFDS.with_name("atari-replay")), "record", "pong", "--steps=1000000"]
    process = subprocess.Popen(
        [*command, f"--out={tmp_path}"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert err == "interrupted\n"
    assert process.returncode in (130, -signal.SIGINT)
    assert not list(tmp_path.iterdir())
