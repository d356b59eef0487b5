"""Two versions of this package, side by side in one run: is the new one slower, or larger?

  git worktree add /tmp/before v0.1.0
  python benchmarks/versions.py /tmp/before . [--rows 250000] [--rounds 5]

Both use the packages of this environment. Each job runs in a process of its own, and in each round
both versions do all of them in turn, so that what else the machine does falls on both. Each reads
the dataset that it has built itself.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import tqdm
from make_checkpoint import make_checkpoint

_BEFORE = """
import importlib, itertools, os, resource, subprocess, sys, time
logs, folder = sys.argv[1:]
data_dir = folder + "/data"
def command(*words):
    subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.DEVNULL)
def load(**options):
    global tfds_atari_replay
    import tfds_atari_replay
    name = "atari_replay/breakout_epoch_1_v0"
    return tfds.load(name, split="train", data_dir=data_dir, **options)
def take(dataset, count):
    global start
    items = iter(dataset)
    next(items)
    start = time.perf_counter()
    assert sum(1 for _ in itertools.islice(items, count)) == count
def transitions(**options):
    packed = load(decoders={"steps": tfds.decode.SkipDecoding()})
    ready = tfds_atari_replay.transitions(batch_size=256, shuffle=True, **options)
    take(packed.repeat().apply(ready), 600)
import tensorflow_datasets as tfds
start = time.perf_counter()
"""
_AFTER = """
seconds = time.perf_counter() - start
used = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
print()
print(seconds, max(resource.getrusage(who).ru_maxrss for who in used) / 1e6)
"""

JOBS = {
    "import tfds_atari_replay": 'command("timeit", "-n1", "-r1", "import tfds_atari_replay")',
    "import, and find a dataset": """
command("timeit", "-n1", "-r1", "import tensorflow_datasets as tfds, tfds_atari_replay",
        "tfds.builder('atari_replay/breakout_epoch_1_v0')")""",
    "tfds build": """
command("tensorflow_datasets.scripts.cli.main", "build", "atari_replay/breakout_epoch_1_v0",
        "--imports=tfds_atari_replay", "--manual_dir=" + logs, "--data_dir=" + data_dir,
        "--overwrite")""",
    "transitions, 600 batches of 256": "transitions()",
    "the same, axis=-1": "transitions(axis=-1)",
    "decoded steps, 50,000": """
take(load().repeat().flat_map(lambda episode: episode["steps"]), 50_000)""",
    "frame_stack, 20,000 steps": """
stacked = load().repeat()
take(stacked.apply(tfds_atari_replay.frame_stack()).flat_map(lambda e: e["steps"]), 20_000)""",
    "show": """
command("tfds_atari_replay", "show", "breakout_epoch_1_v0", "--data_dir=" + data_dir,
        "--out=" + folder + "/episode.png")""",
    "inspect --deep": 'command("tfds_atari_replay", "inspect", logs, "--deep")',
    "get_dataset, stack=True": """
os.environ["ATARI_REPLAY_SOURCE"] = logs
import gymnasium, tfds_atari_replay
if importlib.util.find_spec("tfds_atari_replay.d4rl_atari"):
    import tfds_atari_replay.d4rl_atari
env = gymnasium.make("breakout-epoch-1-v0", stack=True)
start = time.perf_counter()
assert len(env.get_dataset()["observations"])""",
    "make_env, 3,000 steps": """
import tfds_atari_replay
env = tfds_atari_replay.make_env("pong")
env.reset(seed=0)
start = time.perf_counter()
for action in range(3000):
    if env.step(action % 6)[2]:
        env.reset()""",
    "evaluate, 16 episodes of 8 games": """
import numpy, tfds_atari_replay
start = time.perf_counter()
tfds_atari_replay.evaluate(lambda o: numpy.zeros(len(o), int), "pong", episodes=16, num_envs=8,
                           epsilon=1.0)""",
    "record, 3,000 steps": """
command("tfds_atari_replay", "record", "pong", "--steps=3000", "--seed=1",
        f"--out={folder}/{time.time()}")""",
}
"""Code, by name. What it does before it sets `start` is not timed."""


def run(code: str, version: pathlib.Path, logs: pathlib.Path, folder: pathlib.Path) -> list[float]:
    """Runs a job with a version; returns seconds, and the peak memory of a process in GB."""
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _BEFORE + code + _AFTER, str(logs), str(folder)],
        env={**os.environ, "PYTHONPATH": str(version.resolve())},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"{version}:\n{code}\n{process.stderr}")
    return [float(number) for number in process.stdout.splitlines()[-1].split()]


def main(versions: list[pathlib.Path], rows: int, rounds: int, root: pathlib.Path) -> None:
    """Prints the table."""
    make_checkpoint(root / "logs" / "Breakout" / "1" / "replay_logs", rows)
    results: dict[str, list[list[list[float]]]] = {name: [] for name in JOBS}
    folders = [root / "before", root / "after"]
    for folder in folders:
        folder.mkdir()
    with tqdm.tqdm(total=rounds * len(JOBS), desc="Measuring") as bar:
        for _ in range(rounds):
            for name, code in JOBS.items():
                pairs = zip(versions, folders, strict=True)
                results[name].append([run(code, v, root / "logs", folder) for v, folder in pairs])
                bar.update()
    print(f"{rows:,} rows of Breakout, {os.cpu_count()} cores, median of {rounds}\n")
    print("| | seconds before | after | ratio | GB before | after | ratio |")
    print("| --- |" + " --- |" * 6)
    for name, found in results.items():
        (before, memory_before), (after, memory_after) = np.median(found, axis=0)
        print(
            f"| {name} | {before:.2f} | {after:.2f} | {after / before:.2f} "
            f"| {memory_before:.2f} | {memory_after:.2f} | {memory_after / memory_before:.2f} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", type=pathlib.Path, nargs=2, help="checkouts, before and after")
    parser.add_argument("--rows", type=int, default=250_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(args.versions, args.rows, args.rounds, pathlib.Path(temporary))
