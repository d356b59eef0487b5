"""Reading transitions, against other ways, side by side on the same play.

  python benchmarks/reading.py [--rows 1000000] [--rounds 3] [--data FOLDER] [--picture FILE]

Transitions are state, action, reward and next state with stacks of four frames. Each way runs in a
process of its own; in each round all are measured, one after the other, so that what else the
machine does falls on all. At last a whole epoch of one and of ten checkpoints is read (the ten are
the same files). `--data` keeps what is made first, or finds it there.

- ours: `transitions`, from disk.
- PNG: the same episodes with a PNG per step, as `rlu_atari` declares them, and windows over nested
  steps, as Dopamine's client reads them. Of a part of the episodes, since writing takes long.
- d4rl-atari: its list of a million stacks that share the frames in memory; np.stack of 256.
- Dopamine: its `OutOfGraphReplayBuffer`, if dopamine-rl is installed.
- d3rlpy: its `FrameStackTransitionPicker`, if d3rlpy is installed.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import importlib.util
import itertools
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tqdm

_SECONDS = 6
_WARM_UP = 1
_CONFIG = "breakout_epoch_1_v0"
_PNG_PART = "train[:3%]"

Batches = Iterator[int]
"""Gives batch after batch, and of each its size."""


def ours(data: pathlib.Path, decoded: bool = False, **kwargs: Any) -> Batches:
    """`transitions`, shuffled."""
    import tensorflow_datasets as tfds

    import tfds_atari_replay

    dataset = tfds.load(
        f"atari_replay/{_CONFIG}",
        split="train",
        data_dir=str(data),
        decoders=None if decoded else {"steps": tfds.decode.SkipDecoding()},
    )
    dataset = dataset.repeat().apply(
        tfds_atari_replay.transitions(**{"batch_size": 256, "shuffle": True, **kwargs})
    )
    return (len(batch["action"]) for batch in dataset)


def png(data: pathlib.Path) -> Batches:
    """Windows of five nested steps, from a PNG per step."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def windows(episode: Any) -> Any:
        steps = episode["steps"].window(5, shift=1, drop_remainder=True)
        return steps.flat_map(
            lambda step: tf.data.Dataset.zip({name: step[name].batch(5) for name in step})
        )

    def to_transition(window: Any) -> Any:
        frames = window["observation"][..., 0]
        return {
            "observation": frames[:4],
            "action": window["action"][3],
            "reward": window["reward"][3],
            "discount": window["discount"][3],
            "next_observation": frames[1:],
        }

    builder = tfds.builder_from_directory(str(_png_folder(data)))
    episodes = builder.as_dataset(split="train", shuffle_files=True)
    dataset = episodes.repeat().interleave(windows, cycle_length=2, num_parallel_calls=2)
    dataset = dataset.map(to_transition, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.shuffle(10_000).batch(256).prefetch(2)
    return (len(batch["action"]) for batch in dataset)


def d4rl_stacks(frames: Any, terminals: Any) -> list[Any]:
    """Its list: a stack per row, most of them views of the frames."""
    stacks, known = [], 1
    for row in range(len(frames)):
        if known < 4:
            zeros = np.zeros((4 - known, 84, 84), np.uint8)
            stacks.append(np.concatenate([zeros, frames[row - known + 1 : row + 1]]))
        else:
            stacks.append(frames[row - 3 : row + 1])
        known = 1 if terminals[row] else known + 1
    return stacks


def d4rl_atari(data: pathlib.Path) -> Batches:
    """Random places of its list of stacks."""
    arrays = load_arrays(_logs(data))
    terminals = arrays["terminal"]
    stacks = d4rl_stacks(arrays["observation"], terminals)
    rng = np.random.default_rng(0)
    while True:
        places = rng.integers(0, len(stacks) - 1, 256)
        batch = (
            np.stack([stacks[place] for place in places]),
            arrays["action"][places],
            arrays["reward"][places],
            terminals[places],
            np.stack([stacks[place + 1] for place in places]),
        )
        yield len(batch[0])


def dopamine(data: pathlib.Path) -> Batches:
    """Its replay buffer, in memory."""
    from dopamine.tf.replay_memory import circular_replay_buffer

    arrays = load_arrays(_logs(data))
    capacity = len(arrays["action"])
    buffer = circular_replay_buffer.OutOfGraphReplayBuffer((84, 84), 4, capacity, 256)
    buffer._store.update(arrays)
    buffer.add_count = np.array(2 * capacity - 1)
    buffer.invalid_range = circular_replay_buffer.invalid_range(buffer.cursor(), capacity, 4, 1)
    while True:
        yield len(buffer.sample_transition_batch()[0])


def d3rlpy(data: pathlib.Path) -> Batches:
    """Its picker of transitions with stacked frames, from an MDPDataset in memory."""
    import d3rlpy as library  # type: ignore[import-not-found, unused-ignore]

    arrays = load_arrays(_logs(data))
    dataset = library.dataset.ReplayBuffer(
        library.dataset.InfiniteBuffer(),
        transition_picker=library.dataset.FrameStackTransitionPicker(n_frames=4),
        episodes=library.dataset.MDPDataset(
            arrays["observation"][:, np.newaxis],
            arrays["action"],
            arrays["reward"],
            arrays["terminal"],
        ).episodes,
    )
    while True:
        yield len(dataset.sample_transition_batch(256).actions)


WAYS: dict[str, Callable[[pathlib.Path], Batches]] = {
    "ours": ours,
    "ours, frames last": lambda data: ours(data, axis=-1),
    "ours, batches of 32": lambda data: ours(data, batch_size=32),
    "ours, in order": lambda data: ours(data, shuffle=False),
    "ours, decoded steps": lambda data: ours(data, decoded=True),
    "PNG per step, windows": png,
    "d4rl-atari's list": d4rl_atari,
    "Dopamine's buffer": dopamine,
    "d3rlpy's picker": d3rlpy,
}
_NEEDS = {dopamine: "dopamine", d3rlpy: "d3rlpy"}
_BASELINE = "d4rl-atari's list"


def work(name: str, data: pathlib.Path) -> None:
    """Measures one way; prints seconds to the first batch, transitions/s and GB."""
    if not name.startswith(("d4rl", "Dopamine", "d3rlpy")):
        importlib.import_module("tensorflow")
        importlib.import_module("tfds_atari_replay.steps")
    start = time.perf_counter()
    batches = WAYS[name](data)
    next(batches)
    first = time.perf_counter() - start
    while time.perf_counter() - start < first + _WARM_UP:
        next(batches)
    start, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < _SECONDS:
        count += next(batches)
    print(first, count / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)


def work_epoch(checkpoints: int, data: pathlib.Path) -> None:
    """Reads an epoch; now and then prints transitions so far, transitions/s of late, and GB."""
    import tensorflow_datasets as tfds

    import tfds_atari_replay

    dataset = functools.reduce(
        lambda one, other: one.concatenate(other),
        [
            tfds.load(
                f"atari_replay/{_CONFIG}",
                split="train",
                data_dir=str(data),
                decoders={"steps": tfds.decode.SkipDecoding()},
                # Else TFDS keeps the packed data of all of them in memory.
                read_config=tfds.ReadConfig(try_autocache=False),
            )
            for _ in range(checkpoints)
        ],
    )
    batches = iter(dataset.apply(tfds_atari_replay.transitions(batch_size=256, shuffle=True)))
    count = len(next(batches)["action"])
    while True:
        start, before = time.perf_counter(), count
        count += sum(len(batch["action"]) for batch in itertools.islice(batches, 200))
        if count - before < 200 * 256:
            return
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        speed = (count - before) / (time.perf_counter() - start)
        print(count, speed, pages * resource.getpagesize() / 1e9)


def run(*arguments: str) -> list[list[float]]:
    """Runs this file in another process; returns the numbers that it prints."""
    process = subprocess.run(
        [sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return [[float(number) for number in line.split()] for line in process.stdout.splitlines()]


def measure(data: pathlib.Path, rounds: int) -> dict[str, tuple[float, float, float]]:
    """Returns seconds to the first batch, transitions/s, peak GB of each way; the median."""
    names = [
        name
        for name, way in WAYS.items()
        if way not in _NEEDS or importlib.util.find_spec(_NEEDS[way])
    ]
    results: dict[str, list[list[float]]] = {name: [] for name in names}
    with tqdm.tqdm(total=rounds * len(names), desc="Measuring") as bar:
        for _ in range(rounds):
            for name in names:
                results[name] += run("--data", str(data), "--work", name)
                bar.update()
    medians = {name: np.median(result, axis=0) for name, result in results.items()}
    return {name: tuple(median.tolist()) for name, median in medians.items()}


def prepare(data: pathlib.Path, rows: int) -> None:
    """Makes the logs and the two datasets, as far as they are not there."""
    import tensorflow_datasets as tfds
    from make_checkpoint import make_checkpoint
    from png_steps import PngSteps

    import tfds_atari_replay

    assert tfds_atari_replay  # it registers the builder
    if not _logs(data).exists():
        make_checkpoint(_logs(data), rows)
    builder = tfds.builder(f"atari_replay/{_CONFIG}", data_dir=str(data))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(data / "logs"))
    )
    PngSteps(builder, split=_PNG_PART, data_dir=str(data)).download_and_prepare()


def draw(
    results: dict[str, tuple[float, float, float]],
    epochs: dict[int, list[list[float]]],
    path: pathlib.Path,
) -> None:
    """Draws speed and memory as bars, and below them how they go over an epoch."""
    import matplotlib.pyplot as plt

    names = list(results)[::-1]
    colors = ["tab:blue" if name.startswith("ours") else "tab:gray" for name in names]
    titles = ("transitions a second", "memory, GB")
    figure, axes = plt.subplots(
        2, 2, figsize=(10, 6), height_ratios=(len(names), 4), layout="constrained"
    )
    for axis, column, title, form in zip(
        axes[0], (1, 2), titles, ("{:,.0f}", "{:.1f}"), strict=True
    ):
        values = [results[name][column] for name in names]
        bars = axis.barh(names, values, color=colors)
        axis.bar_label(bars, [form.format(value) for value in values], padding=3)
        axis.set_title(title)
        axis.margins(x=0.18)
    axes[0][1].set_yticklabels([])
    for axis, column in zip(axes[1], (1, 2), strict=True):
        axis.sharey(axis)
        for checkpoints, line in epochs.items():
            part = [100 * row[0] / line[-1][0] for row in line]
            label = f"{checkpoints} checkpoint{'s' if checkpoints > 1 else ''}"
            axis.plot(part, [row[column] for row in line], label=label)
        axis.set_xlabel("% of an epoch")
        axis.set_title(titles[column - 1])
        axis.set_ylim(bottom=0)
        axis.legend()
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def main(data: pathlib.Path, rows: int, rounds: int, picture: pathlib.Path | None) -> None:
    """Prints the tables, and draws them."""
    prepare(data, rows)
    results = measure(data, rounds)
    baseline = results[_BASELINE][1]
    print(f"\n{rows:,} rows of Breakout, {os.cpu_count()} cores, median of {rounds} rounds\n")
    print("| | transitions/s | ratio | peak memory, GB | first batch after, s |")
    print("| --- | --- | --- | --- | --- |")
    for name, (first, speed, memory) in results.items():
        print(f"| {name} | {speed:,.0f} | {speed / baseline:.2f} | {memory:.2f} | {first:.1f} |")
    epochs = {count: run("--data", str(data), "--epoch", str(count)) for count in (1, 10)}
    print("\n| checkpoints | transitions/s in the first, last tenth | memory, GB, there |")
    print("| --- | --- | --- |")
    for count, line in epochs.items():
        tenth = max(len(line) // 10, 1)
        first, last = (np.mean(part, 0) for part in (line[:tenth], line[-tenth:]))
        print(f"| {count} | {first[1]:,.0f}, {last[1]:,.0f} | {first[2]:.2f}, {last[2]:.2f} |")
    if picture:
        draw(results, epochs, picture)


def _logs(data: pathlib.Path) -> pathlib.Path:
    return data / "logs" / "Breakout" / "1" / "replay_logs"


def _png_folder(data: pathlib.Path) -> pathlib.Path:
    return data / "png_steps" / "1.0.0"


def load_arrays(folder: pathlib.Path) -> dict[str, Any]:
    """Loads checkpoint 1 of a run as these libraries do, in the order of the file."""
    arrays = {}
    for name in ("observation", "action", "reward", "terminal"):
        with gzip.open(folder / f"$store$_{name}_ckpt.1.gz") as file:
            arrays[name] = np.load(file)
    return arrays


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--picture", type=pathlib.Path)
    parser.add_argument("--work", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--epoch", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work, args.data)
    elif args.epoch:
        work_epoch(args.epoch, args.data)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(args.data or pathlib.Path(temporary), args.rows, args.rounds, args.picture)
