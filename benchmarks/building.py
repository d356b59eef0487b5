"""Building a dataset from a checkpoint, against d4rl-atari's way of only loading it.

  python benchmarks/building.py [--rows 1000000] [--rounds 3]

d4rl-atari loads a checkpoint with np.load(gzip.open(...)) of its four files at each start. Beside
that, in turn, each in a process of its own and imports included: download_and_prepare in Python,
and `tfds build`, whose command line imports TensorFlow and Beam whatever it does.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from make_checkpoint import make_checkpoint

_LOAD = """
import glob, gzip, sys
import numpy as np
arrays = [np.load(gzip.open(path)) for path in glob.glob(sys.argv[1] + "/$store$_*")]
"""

_PREPARE = """
import sys
import tensorflow_datasets as tfds, tfds_atari_replay
builder = tfds.builder(sys.argv[1], data_dir=sys.argv[3])
builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(manual_dir=sys.argv[2])
)
"""

_NAME = "atari_replay/breakout_epoch_1_v0"


class Measured(NamedTuple):
    """What a process took: seconds, cores busy on average, peak memory in GB, MB written."""

    seconds: float
    cores: float
    memory: float
    megabytes: float


def run(command: list[str], folder: pathlib.Path) -> Measured:
    """Runs a command that fills, or reads, a folder."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed with status {status}")
    seconds = time.perf_counter() - start
    cores = (usage.ru_utime + usage.ru_stime) / seconds
    megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return Measured(seconds, cores, usage.ru_maxrss / 1e6, megabytes)


def main(rows: int, rounds: int, logs: pathlib.Path) -> None:
    """Prints the table."""
    folder = logs / "Breakout" / "1" / "replay_logs"
    if not folder.exists():
        make_checkpoint(folder, rows)
    print(f"{rows:,} rows of Breakout, {os.cpu_count()} cores, best of {rounds}\n")
    load, prepare, build = "np.load(gzip.open(...))", "download_and_prepare", "tfds build"
    tfds = str(pathlib.Path(sys.executable).with_name("tfds"))
    logs_and_data = [f"--manual_dir={logs}", "--data_dir"]
    commands = {
        prepare: [sys.executable, "-c", _PREPARE, _NAME, str(logs)],
        build: [tfds, "build", _NAME, "--imports=tfds_atari_replay", *logs_and_data],
    }
    found: dict[str, list[Measured]] = {load: [], prepare: [], build: []}
    for _ in range(rounds):
        found[load].append(run([sys.executable, "-c", _LOAD, str(folder)], folder))
        for label, command in commands.items():
            with tempfile.TemporaryDirectory() as data_dir:
                found[label].append(run([*command, data_dir], pathlib.Path(data_dir)))
    best = {label: min(results) for label, results in found.items()}
    print(f"{'':25}{'seconds':>9}{'ratio':>7}{'cores busy':>12}{'peak GB':>9}{'MB on disk':>12}")
    for label, (seconds, cores, memory, megabytes) in best.items():
        ratio = seconds / best[load].seconds
        print(f"{label:25}{seconds:9.1f}{ratio:7.2f}{cores:12.1f}{memory:9.2f}{megabytes:12.1f}")


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
