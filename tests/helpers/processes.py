"""Other processes, and processes with fewer rights."""

from __future__ import annotations

import contextlib
import inspect
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


def peak_memory() -> int:
    """The most bytes that this process had in memory; `ru_maxrss` begins with its parent's."""
    with open("/proc/self/status") as file:
        return 1024 * int(file.read().partition("VmHWM:")[2].split()[0])


PEAK_MEMORY = inspect.getsource(peak_memory)
"""`peak_memory`, for code that is run in another process."""


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
