"""Other processes, and processes with fewer rights."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator


def run_python(code: str) -> str:
    """Runs code in a process of its own; returns what it printed."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


@contextlib.contextmanager
def unprivileged(folder: pathlib.Path) -> Iterator[None]:
    """Whoever runs the tests has no more rights than others, except to get to this folder."""
    for parent in folder.parents:
        if parent.owner() == folder.owner() and parent != pathlib.Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
