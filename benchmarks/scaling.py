"""Random access to a whole run, of play with the variety of real play.

  python benchmarks/scaling.py [--rows 1000000] [--checkpoints 11] [--data FOLDER] [--picture FILE]

Logs of MsPacman are made (varied_play.py), built as a whole run and packed, each in a process of
its own. While it is packed, its time, memory and size are noted, and drawn by the number of frames;
from them, a run of 50 million frames is foretold. A process that starts afterwards loads it, and
reads at random. Last, its files are evicted from memory, and read at random again, and in the order
of LocalShuffle. Needs Linux, 400 bytes of disk a row, and matplotlib for the picture.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from isal import igzip
from make_checkpoint import write_checkpoint
from varied_play import VariedPlay

import tfds_atari_replay
from tfds_atari_replay.fields import VERSION

_NAME = "atari_replay/ms_pacman_full_v0"
_WHOLE_RUN = 50_000_000
_FILES = ("units", "groups", "index")


def write_logs(folder: pathlib.Path, rows: int, checkpoints: int) -> None:
    """Writes checkpoints 1, 2, ..., each going on where the one before it ended."""
    play = VariedPlay()
    open_file = functools.partial(igzip.open, compresslevel=1)
    for number in range(1, checkpoints + 1):
        write_checkpoint(folder, rows, number, play.rows, open_file)


def own_memory() -> int:
    """Bytes of memory of this process that are no file's."""
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def bytes_read() -> int:
    """Bytes that this process has had read from disks."""
    return int(pathlib.Path("/proc/self/io").read_text().partition("read_bytes:")[2].split()[0])


def build(data: pathlib.Path) -> dict[str, Any]:
    """Builds the dataset."""
    import tensorflow_datasets as tfds

    builder = tfds.builder(_NAME, data_dir=data / "datasets", file_format="array_record")
    start = time.perf_counter()
    config = tfds.download.DownloadConfig(manual_dir=str(data / "logs"))
    builder.download_and_prepare(download_config=config)
    return {"seconds": time.perf_counter() - start, "bytes": builder.info.dataset_size}


def pack(data: pathlib.Path) -> dict[str, Any]:
    """Packs the dataset; notes seconds, memory, and bytes of each file, every two seconds."""
    # While it is written, the folder has another name.
    beside = data / "datasets" / _NAME / VERSION
    samples: list[list[float]] = []
    start = time.perf_counter()
    before = own_memory()

    def note() -> None:
        while not done.wait(2):
            for work in beside.glob("incomplete.*.replay"):
                sizes = [(work / f"{name}.npy").stat().st_size for name in _FILES]
                passed = time.perf_counter() - start
                samples.append([sizes[-1] / 24, passed, own_memory() - before, *sizes])

    done = threading.Event()
    thread = threading.Thread(target=note)
    thread.start()
    load(data)
    done.set()
    thread.join()
    return {"seconds": time.perf_counter() - start, "samples": samples}


def load(data: pathlib.Path) -> Any:
    """Loads the replay."""
    return tfds_atari_replay.load_replay(_NAME, data_dir=data / "datasets", download=False)


def read(data: pathlib.Path) -> dict[str, Any]:
    """Loads the packed replay, and reads batches at random."""
    start = time.perf_counter()
    before = own_memory()
    replay = load(data)
    loaded = time.perf_counter()
    memory = own_memory()
    source = replay.transitions()
    listed = time.perf_counter()
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {
        "seconds to load": loaded - start,
        "seconds to list transitions": listed - loaded,
        "bytes a transition": (own_memory() - memory) / len(source),
        "MB of memory": (own_memory() - before) / 1e6,
        "transitions": len(source),
        "bytes a frame": replay.joined.nbytes / replay.joined.starts[-1],
    }
    for size in (32, 256, 1024):
        for _ in random_batches(source, rng, size, seconds=1):
            pass
        found[f"transitions/s at {size}"] = max(
            sum(random_batches(source, rng, size, seconds=2)) / 2 for _ in range(3)
        )
    return found


def random_batches(source: Any, rng: Any, size: int, seconds: float) -> Iterator[int]:
    """Reads batches for some time; yields the size of each."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        source[rng.integers(len(source), size=size)]
        yield size


def read_cold(data: pathlib.Path, *, is_local: bool) -> dict[str, Any]:
    """Evicts the files, and reads batches at random or by LocalShuffle."""
    source = load(data).transitions()
    # What no process has looked at through its own mapping can be evicted.
    for path in (data / "datasets" / _NAME / VERSION / "replay").glob("*.npy"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    rng = np.random.default_rng(0)
    order = iter(tfds_atari_replay.LocalShuffle(len(source), 256))
    start, before, count = time.perf_counter(), bytes_read(), 0
    while time.perf_counter() < start + 40 and count < len(source) // 2:
        source[next(order) if is_local else rng.integers(len(source), size=256)]
        count += 256
    passed = time.perf_counter() - start
    return {
        "seconds": passed,
        "transitions/s": count / passed,
        "bytes read a transition": (bytes_read() - before) / count,
    }


def foretell(samples: Any) -> dict[str, float]:
    """Fits power laws to what was noted while packing, and says what 50 million frames take."""
    frames = samples[:, 0]
    late = frames > frames[-1] / 4
    found = {"bytes a frame": 24.0}
    for column, name in ((3, "units"), (4, "groups")):
        power, factor = np.polyfit(np.log(frames[late]), np.log(samples[late, column]), 1)
        found[f"power of {name}"] = power
        found["bytes a frame"] += np.exp(factor) * _WHOLE_RUN ** (power - 1)
    seconds = np.polyfit(frames[late], samples[late, 1], 1)[0] * _WHOLE_RUN
    return {**found, "GB": found["bytes a frame"] * _WHOLE_RUN / 1e9, "minutes": seconds / 60}


def draw(samples: Any, picture: pathlib.Path) -> None:
    """Draws time, memory and size by the number of frames."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
    millions = samples[:, 0] / 1e6
    axes[0].plot(millions, samples[:, 1] / 60)
    axes[0].set(title="Time to pack", ylabel="minutes")
    axes[1].plot(millions, samples[:, 2] / 1e9)
    axes[1].set(title="Memory while packing", ylabel="GB, without files", ylim=(0, None))
    below = np.zeros(len(samples))
    for column, name in zip((5, 4, 3), reversed(_FILES), strict=True):
        above = below + samples[:, column] / samples[:, 0]
        axes[2].fill_between(millions, below, above, label=name, lw=0)
        below = above
    axes[2].set(title="Size", ylabel="bytes a frame", ylim=(0, None))
    axes[2].legend(frameon=False)
    for axis in axes:
        axis.set(xlabel="million frames", xlim=(0, None))
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=100)


WORK: dict[str, Callable[[pathlib.Path], Any]] = {
    "build": build,
    "pack": pack,
    "read": read,
    "evicted, at random": functools.partial(read_cold, is_local=False),
    "evicted, LocalShuffle": functools.partial(read_cold, is_local=True),
}


def measure(name: str, data: pathlib.Path) -> Any:
    """Works in a process of its own; returns what it found."""
    found = subprocess.run(
        [sys.executable, __file__, f"--work={name}", f"--data={data}"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(found.stdout.strip().splitlines()[-1])


def main(rows: int, checkpoints: int, data: pathlib.Path, picture: pathlib.Path | None) -> None:
    """Prints what was found."""
    folder = data / "logs" / "MsPacman" / "1" / "replay_logs"
    if not folder.exists():
        write_logs(folder, rows, checkpoints)
    if not (data / "datasets" / _NAME / VERSION).exists():
        print("built:", json.dumps(measure("build", data), indent=1))
    packed = measure("pack", data)
    samples = np.array(packed["samples"])
    print(f"packed: {packed['seconds']:.0f} s")
    if len(samples) > 8:
        print(f"most memory while packing: {samples[:, 2].max() / 1e9:.2f} GB")
        print(f"{_WHOLE_RUN:,} frames:", json.dumps(foretell(samples), indent=1))
        if picture:
            draw(samples, picture)
    for name in list(WORK)[2:]:
        print(f"{name}:", json.dumps(measure(name, data), indent=1), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--checkpoints", type=int, default=11)
    parser.add_argument("--data", type=pathlib.Path, help="keep all of it here, or find it here")
    parser.add_argument("--picture", type=pathlib.Path)
    parser.add_argument("--work", choices=list(WORK), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        print("\n" + json.dumps(WORK[args.work](args.data)))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            data = args.data or pathlib.Path(temporary)
            main(args.rows, args.checkpoints, data, args.picture)
