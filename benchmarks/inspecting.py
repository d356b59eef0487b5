"""How long it takes to inspect a run of 50 checkpoints of 1,000,000 rows.

  python benchmarks/inspecting.py LOGS

LOGS is made by make_checkpoint.py. Its checkpoint is linked 50 times, with an add_count for each,
so that they look like a run; nothing is copied. --deep is held against unpacking the same files, as
many at a time as there are cores, with ISA-L's gunzip; and with gzip, of as many files as cores.
"""

from __future__ import annotations

import argparse
import gzip
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

_COUNT = 50


def link(source: pathlib.Path, target: pathlib.Path) -> None:
    """Makes a run of 50 checkpoints of one."""
    target.mkdir(parents=True)
    with gzip.open(source / "add_count_ckpt.1.gz") as file:
        capacity = (int(np.load(file)) + 1) // 2
    for number in range(_COUNT):
        for path in source.glob("$store$_*_ckpt.1.gz"):
            (target / path.name.replace("ckpt.1.", f"ckpt.{number}.")).symlink_to(path)
        with gzip.open(target / f"add_count_ckpt.{number}.gz", "wb") as file:
            np.save(file, np.array((number + 1) * capacity - 1))


def seconds(*command: str) -> float:
    """How long a command takes; what it prints is thrown away."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def each(command: str, paths: list[pathlib.Path], at_once: int) -> str:
    """A shell's line that runs a command on each file, some at a time."""
    names = " ".join(f"'{path}'" for path in paths)
    return f"printf '%s\\0' {names} | xargs -0 -n1 -P{at_once} {command}"


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=pathlib.Path)
    source = parser.parse_args().logs.resolve() / "Breakout" / "1" / "replay_logs"
    with tempfile.TemporaryDirectory() as folder:
        link(source, pathlib.Path(folder) / "Breakout" / "1" / "replay_logs")
        inspect = (sys.executable, "-m", "tfds_atari_replay", "inspect", folder)
        cores = os.cpu_count() or 1
        frames = sorted(pathlib.Path(folder).rglob("*observation*"))
        igzip = f"{sys.executable} -m isal.igzip -dc"
        rows = {
            "inspect": seconds(*inspect),
            "inspect --deep": seconds(*inspect, "--deep"),
            "igzip -dc": seconds("sh", "-c", each(igzip, frames, cores)),
            f"gzip -dc, {cores} of them": seconds(
                "sh", "-c", each("gzip -dc", frames[:cores], cores)
            ),
        }
    print(f"| {_COUNT} checkpoints of Breakout | seconds |\n| --- | --- |")
    for name, value in rows.items():
        print(f"| {name} | {value:.1f} |")


if __name__ == "__main__":
    main()
