"""Building a dataset from a checkpoint, against d4rl-atari's way of only loading it.

  python benchmarks/building.py [--rows 1000000] [--rounds 3]

d4rl-atari loads a checkpoint with np.load(gzip.open(...)) of its four files at each start; here
`tfds build`, imports and all, is timed beside that, in turn, each in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from make_checkpoint import make_checkpoint

_LOAD = """
import glob, gzip, sys
import numpy as np
arrays = [np.load(gzip.open(path)) for path in glob.glob(sys.argv[1] + "/$store$_*")]
"""


def run(command: list[str]) -> tuple[float, float]:
    """Runs a command; returns its seconds and the peak of its memory in GB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed with status {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1e6


def size(folder: pathlib.Path) -> float:
    """Size of the files of a folder, in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main(rows: int, rounds: int, logs: pathlib.Path) -> None:
    """Prints the table."""
    folder = logs / "Breakout" / "1" / "replay_logs"
    if not folder.exists():
        make_checkpoint(folder, rows)
    tfds = [str(pathlib.Path(sys.executable).with_name("tfds")), "build"]
    print(f"{rows:,} rows of Breakout, {os.cpu_count()} cores, best of {rounds}\n")
    load, build, built_size = [], [], 0.0
    for _ in range(rounds):
        load.append(run([sys.executable, "-c", _LOAD, str(folder)]))
        with tempfile.TemporaryDirectory() as data_dir:
            build.append(
                run(
                    [
                        *tfds,
                        "atari_replay/breakout_epoch_1_v0",
                        "--imports=tfds_atari_replay",
                        f"--manual_dir={logs}",
                        f"--data_dir={data_dir}",
                    ]
                )
            )
            built_size = size(pathlib.Path(data_dir))
    print(f"{'':36}{'seconds':>9}{'peak GB':>9}{'MB on disk':>12}")
    for label, results, megabytes in (
        ("np.load(gzip.open(...)), to memory", load, size(folder)),
        ("tfds build, to a dataset", build, built_size),
    ):
        seconds, memory = min(results)
        print(f"{label:36}{seconds:9.1f}{memory:9.2f}{megabytes:12.1f}")
    print(
        f"{'ratio':36}{min(build)[0] / min(load)[0]:9.2f}"
        f"{min(build)[1] / min(load)[1]:9.2f}{built_size / size(folder):12.2f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--logs", type=pathlib.Path, help="keep the checkpoint here, or find it here"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(args.rows, args.rounds, args.logs or pathlib.Path(temporary))
