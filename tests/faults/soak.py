"""Builds, reads and plays for an hour in one process, and watches what it holds.

  PYTHONPATH=tests python -m faults.soak [--minutes 60] [--picture FILE]

Memory, threads and open files are noted after each round. They must not grow from the second
tenth of the rounds to the last: memory by no more than 5%, threads and files not at all. Pipelines
are made once, and iterated over in each round: TensorFlow keeps memory for each that is made.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import tempfile
import threading
import time

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tensorflow_datasets as tfds
import tqdm
from helpers.datasets import DUMMY_DATA, build

from tfds_atari_replay import evaluate, frame_stack, transitions
from tfds_atari_replay.logs import inspection

CONFIGS = ("breakout_expert_v0", "breakout_mixed_v4", "asterix_epoch_1_v0")


def held() -> tuple[float, int, int]:
    """Megabytes of memory, threads, open files."""
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return (
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        threading.active_count(),
        len(os.listdir("/proc/self/fd")),
    )


def pipelines(folder: pathlib.Path) -> list[tf.data.Dataset]:
    """Transitions and stacked episodes of each config, packed and decoded."""
    made = []
    for config in CONFIGS:
        builder = build(config, DUMMY_DATA, folder)
        for decoders in (None, {"steps": tfds.decode.SkipDecoding()}):
            dataset = builder.as_dataset(split="train", decoders=decoders)
            made.append(dataset.apply(transitions(batch_size=256, shuffle=True)))
            made.append(dataset.apply(frame_stack()).flat_map(lambda episode: episode["steps"]))
    return made


def work(folder: pathlib.Path, datasets: list[tf.data.Dataset], number: int) -> None:
    """A round of all that takes long."""
    builder = build(CONFIGS[number % len(CONFIGS)], DUMMY_DATA, folder / str(number))
    assert builder.info.metadata["transitions"] > 500
    for dataset in datasets:
        assert sum(1 for _ in tfds.as_numpy(dataset)) > 3
    inspection.inspect(DUMMY_DATA, deep=True)
    evaluate(
        lambda observations: np.ones(len(observations), np.int64),
        ("breakout", "pong")[number % 2],
        episodes=4,
        num_envs=2,
        max_steps=100,
        seed=number,
        emulator=("ale_py", "atari_py")[number // 2 % 2],
    )


def draw(curve: npt.NDArray[np.float64], path: pathlib.Path) -> None:
    """Draws what was held over time."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(8, 6))
    labels = ("memory, MB", "threads", "open files")
    for axis, label, values in zip(axes, labels, curve[:, 1:].T, strict=True):
        axis.plot(curve[:, 0] / 60, values, linewidth=1)
        axis.set_ylabel(label)
        axis.set_ylim(0, values.max() * 1.2)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("minutes")
    axes[0].set_title(f"{len(curve)} rounds of building, reading and playing in one process")
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def soak(minutes: float, rounds: int | None = None) -> npt.NDArray[np.float64]:
    """Works so long; returns seconds, megabytes, threads and files of each round."""
    curve: list[tuple[float, ...]] = []
    start = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        tqdm.tqdm(total=round(60 * minutes), unit=" s", disable=None) as bar,
    ):
        datasets = pipelines(pathlib.Path(folder) / "read")
        while time.perf_counter() - start < 60 * minutes and len(curve) != rounds:
            work(pathlib.Path(folder), datasets, len(curve))
            seconds = time.perf_counter() - start
            curve.append((seconds, *held()))
            bar.update(int(seconds) - bar.n)
    return np.array(curve)


def growth(curve: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of memory, threads and files: the last tenth of the rounds against the second, as a ratio."""
    tenth = max(len(curve) // 10, 1)
    begin, end = curve[tenth : 2 * tenth, 1:], curve[-tenth:, 1:]
    ratio: npt.NDArray[np.float64] = np.median(end, axis=0) / np.median(begin, axis=0)
    return ratio


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--picture", type=pathlib.Path)
    args = parser.parse_args()
    held_over_time = soak(args.minutes)
    grown = growth(held_over_time)
    for label, first, last, ratio in zip(
        ("memory, MB", "threads", "files"),
        held_over_time[len(held_over_time) // 10, 1:],
        held_over_time[-1, 1:],
        grown,
        strict=True,
    ):
        print(f"{label:12}{first:10,.0f} ->{last:8,.0f}, x {ratio:.3f}")
    print(f"{len(held_over_time)} rounds")
    if args.picture:
        draw(held_over_time, args.picture)
    assert grown[0] < 1.05
    assert grown[1:].max() <= 1
