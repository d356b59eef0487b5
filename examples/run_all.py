"""Runs examples in full: each on two games with three seeds, one run for each core at a time.

    python examples/run_all.py behaviour_cloning --data_dir DATA --out OUT

Runs that have left their results are not repeated.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import itertools
import os
import pathlib
import subprocess
import sys

CHECKPOINTS = {
    "behaviour_cloning": (1, 5, 10),
    "dqn": (5,),
    "dqn_torch": (5,),
    "dqn_jax": (5,),
    "decision_transformer": (10,),
}
"""What each example learns from, of the logs of record_improving.py."""

GAMES = ("breakout", "pong")
SEEDS = (0, 1, 2)

# For PyTorch, NumPy and TensorFlow: runs side by side share the cores.
_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
ONE_THREAD = dict.fromkeys(_THREADS, "1")


def main() -> None:
    """Runs the examples that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("examples", nargs="+", choices=CHECKPOINTS)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()

    def run(example: str, seed: int, game: str, checkpoint: int) -> None:
        config = f"{game}_epoch_{checkpoint}_v0"
        done = args.out / f"{example}-{config}-seed{seed}.done"
        if done.exists():
            return
        command = [sys.executable, str(pathlib.Path(__file__).with_name(f"{example}.py"))]
        command += [f"atari_replay/{config}", f"--data_dir={args.data_dir}"]
        command += [f"--seed={seed}", f"--out={args.out}"]
        subprocess.run(command, check=True, env={**os.environ, **ONE_THREAD})
        done.touch()

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [
            pool.submit(run, *choice)
            for example in args.examples
            for choice in itertools.product([example], SEEDS, GAMES, CHECKPOINTS[example])
        ]
        for one in concurrent.futures.as_completed(runs):
            one.result()


if __name__ == "__main__":
    main()
