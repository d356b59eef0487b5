"""Whole runs: 1, 2, 4 checkpoints, written by this process and by workers of a Dask cluster.

  python benchmarks/workers.py [--rows 250000] [--checkpoints 1 2 4] [--rounds 3]

Checkpoints are made of repeated Breakout play (make_checkpoint.py). All ways are timed in turn,
each in a process of its own. Imports, the start of workers and each process' first build are left
out: a small dataset is built before. Processor time is that of all processes that write, and
tells how many cores they kept busy. Needs dask's `distributed`.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from make_checkpoint import make_checkpoint

WAYS = {"one checkpoint alone": 0, "this process": 0, "1 worker": 1, "2 workers": 2}
"""How many workers each has; without, the process itself writes."""


_DUMMY_DATA = pathlib.Path(__file__).resolve().parents[1] / "dummy_data"


def usage() -> tuple[float, float]:
    """Peak memory of this process in GB, and its processor time in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_maxrss / 1e6, used.ru_utime + used.ru_stime


def warm_up() -> None:
    """Builds a small dataset: imports TensorFlow, and whatever else is slow only once."""
    import tensorflow_datasets as tfds

    import tfds_atari_replay

    assert tfds_atari_replay.GAMES
    with tempfile.TemporaryDirectory() as data_dir:
        tfds.builder("atari_replay/breakout_expert_v0", data_dir=data_dir).download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=str(_DUMMY_DATA))
        )


@contextlib.contextmanager
def workers(count: int) -> Iterator[tuple[dict[str, Any], Callable[[], list[tuple[float, float]]]]]:
    """Starts workers; yields options for TFDS, and what tells the usage of all that write."""
    warm_up()
    if not count:
        yield {}, lambda: [usage()]
        return
    dask: Any = importlib.import_module("dask")
    distributed: Any = importlib.import_module("distributed")
    from apache_beam.runners.dask.dask_runner import DaskOptions, DaskRunner

    # Dask's own MALLOC_TRIM_THRESHOLD_ makes builds twice as slow.
    dask.config.set({"distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1}})
    with (
        distributed.LocalCluster(
            n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(warm_up)
        options = DaskOptions([f"--dask_client_address={cluster.scheduler_address}"])
        yield (
            {"beam_runner": DaskRunner(), "beam_options": options},
            lambda: list(client.run(usage).values()),
        )


def build(config: str, logs: str, data_dir: str, count: int) -> None:
    """Builds, and prints seconds, processor time, peak memory of a process, and steps."""
    import tensorflow_datasets as tfds

    with workers(count) as (options, used):
        builder = tfds.builder(f"atari_replay/{config}", data_dir=data_dir)
        before = sum(seconds for _, seconds in used())
        start = time.perf_counter()
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(manual_dir=logs, **options)
        )
        seconds = time.perf_counter() - start
        after = used()
    busy = sum(seconds for _, seconds in after) - before
    peak = max(memory for memory, _ in after)
    print("\n" + json.dumps([seconds, busy, peak, builder.info.metadata["transitions"]]))


def measure(config: str, logs: pathlib.Path, count: int) -> list[float]:
    """Builds in a process of its own; returns what it prints."""
    with tempfile.TemporaryDirectory() as data_dir:
        command = [sys.executable, __file__, "--build", config, str(logs), data_dir, str(count)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(found.stderr)
    printed: list[float] = json.loads(found.stdout.strip().splitlines()[-1])
    return printed


def main(rows: int, checkpoints: list[int], rounds: int, root: pathlib.Path) -> None:
    """Prints the table."""
    print(f"Checkpoints of {rows:,} rows of Breakout, {os.cpu_count()} cores, best of {rounds}\n")
    print(
        f"{'':24}{'checkpoints':>12}{'seconds':>9}{'each':>7}{'cpu s':>7}{'cores':>7}"
        f"{'steps/s':>9}{'peak GB':>9}"
    )
    for number in checkpoints:
        logs = root / f"{rows}_{number}"
        for one in range(1, number + 1):
            folder = logs / "Breakout" / "1" / "replay_logs"
            if not (folder / f"add_count_ckpt.{one}.gz").exists():
                make_checkpoint(folder, rows, one)
        results: dict[str, list[list[float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, count in WAYS.items():
                config = "epoch_1" if way == "one checkpoint alone" else "full"
                results[way].append(measure(f"breakout_{config}_v0", logs, count))
        for way, found in results.items():
            seconds, busy, peak, steps = min(found)
            built = 1 if way == "one checkpoint alone" else number
            print(
                f"{way:24}{built:12}{seconds:9.1f}{seconds / built:7.1f}{busy:7.1f}"
                f"{busy / seconds:7.2f}{steps / seconds:9,.0f}{peak:9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--build"]:
        build(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]))
    else:
        parser = argparse.ArgumentParser(description=__doc__)
        parser.add_argument("--rows", type=int, default=250_000)
        parser.add_argument("--checkpoints", type=int, nargs="+", default=[1, 2, 4])
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--logs", type=pathlib.Path, help="where to make them, and keep them")
        args = parser.parse_args()
        with tempfile.TemporaryDirectory() as temporary:
            main(args.rows, args.checkpoints, args.rounds, args.logs or pathlib.Path(temporary))
