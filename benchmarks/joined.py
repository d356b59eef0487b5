"""Random batches from several datasets in one replay, against one of them.

  python benchmarks/joined.py breakout_epoch_{1,2,3,4,5}_v0 --data_dir DATA [--rounds 15]

The datasets must be prepared. Use different play, such as the checkpoints that
examples/record_improving.py records: of the same files, all units would be the same.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import tfds_atari_replay
from tfds_atari_replay.replay.transitions import TransitionSource

BATCHES = (32, 256)
_AT_ONCE = 60


def load(names: list[str], data_dir: str) -> tuple[TransitionSource, float]:
    """Returns the transitions, and seconds to load them."""
    start = time.perf_counter()
    wanted = [f"atari_replay/{name}" for name in names]
    replay = tfds_atari_replay.load_replay(wanted, data_dir=data_dir, download=False)
    return replay.transitions(), time.perf_counter() - start


def main(names: list[str], data_dir: str, rounds: int) -> None:
    """Prints the table; sources are measured in turn."""
    load(names, data_dir)  # packs what is not packed yet
    one = [names[len(names) // 2]]
    loaded = {"one": load(one, data_dir), f"{len(names)} in one replay": load(names, data_dir)}
    seconds: dict[tuple[str, int], list[float]] = {}
    rng = np.random.default_rng(0)
    for _ in range(rounds):
        for name, (source, _) in loaded.items():
            for size in BATCHES:
                for _ in range(_AT_ONCE):
                    indices = rng.integers(len(source), size=size)
                    start = time.perf_counter()
                    source[indices]
                    seconds.setdefault((name, size), []).append(time.perf_counter() - start)
    columns = " | ".join(f"transitions/s, batches of {size}" for size in BATCHES)
    print(f"| | steps | {columns} | units, MB | index, MB | seconds to load |")
    print("| --- |" + " --- |" * (len(BATCHES) + 4))
    for name, (source, spent) in loaded.items():
        speeds = (f"{size / np.median(seconds[name, size]):,.0f}" for size in BATCHES)
        megabytes = (array.nbytes / 1e6 for array in (source.packed.units, source.packed.index))
        print(
            f"| {name} | {len(source):,} | {' | '.join(speeds)} | "
            f"{' | '.join(f'{mb:.1f}' for mb in megabytes)} | {spent:.2f} |"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", help="configs")
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    main(args.names, args.data_dir, args.rounds)
