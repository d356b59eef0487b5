"""Runs examples in full: each on two games with three seeds, one run after the other.

    python examples/run_all.py behaviour_cloning --data_dir DATA --out OUT

Runs that have left their results are not repeated.
"""

from __future__ import annotations

import argparse
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


def main() -> None:
    """Runs the examples that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("examples", nargs="+", choices=CHECKPOINTS)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    folder = pathlib.Path(__file__).parent
    for example in args.examples:
        for seed in SEEDS:
            for game in GAMES:
                for checkpoint in CHECKPOINTS[example]:
                    config = f"{game}_epoch_{checkpoint}_v0"
                    done = args.out / f"{example}-{config}-seed{seed}.done"
                    if done.exists():
                        continue
                    command = [sys.executable, str(folder / f"{example}.py")]
                    command += [f"atari_replay/{config}", f"--data_dir={args.data_dir}"]
                    command += [f"--seed={seed}", f"--out={args.out}"]
                    subprocess.run(command, check=True)
                    done.touch()


if __name__ == "__main__":
    main()
