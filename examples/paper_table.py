"""From logs to a paper's table: two games, several runs, IQM with confidence intervals by rliable.

    python examples/paper_table.py --out OUT

Records logs of a player that gets better, clones two of their checkpoints with several seeds, plays
the games, and prints and draws what the clones scored. Needs rliable and pandas (below version 3).
"""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

import behaviour_cloning
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import record_improving
import tensorflow_datasets as tfds
from rliable import library, metrics, plot_utils

from tfds_atari_replay import Evaluation, find_game, score_matrices, score_table

GAMES = ("breakout", "pong")
CHECKPOINTS = (1, 9)


def prepare(game: str, checkpoint: int, logs: pathlib.Path, data_dir: pathlib.Path) -> str:
    """Builds a dataset of one checkpoint, and returns its name."""
    name = f"atari_replay/{game}_epoch_{checkpoint}_v0"
    config = tfds.download.DownloadConfig(manual_dir=logs)
    tfds.builder(name, data_dir=data_dir).download_and_prepare(download_config=config)
    return name


def draw(results: dict[str, Any], path: pathlib.Path) -> None:
    """Draws interquartile mean and mean over all runs and games, with 95% intervals."""
    estimates, intervals = library.get_interval_estimates(
        score_matrices(results),
        lambda scores: np.array([metrics.aggregate_iqm(scores), metrics.aggregate_mean(scores)]),
        reps=2000,
    )
    for agent, (iqm, mean) in estimates.items():
        (low, _), (high, _) = intervals[agent]
        print(f"{agent}: IQM {iqm:.3f} (95% interval {low:.3f} to {high:.3f}), mean {mean:.3f}")
    figure, _ = plot_utils.plot_interval_estimates(
        estimates,
        intervals,
        metric_names=["IQM", "Mean"],
        algorithms=list(results),
        xlabel="human-normalised score",
        row_height=0.7,  # the label is below the numbers
        xlabel_y_coordinate=-0.35,
    )
    figure.savefig(path, bbox_inches="tight", facecolor="white")
    plt.close(figure)


def main(argv: list[str] | None = None) -> None:
    """Records, builds, clones, plays, prints and draws."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--runs", type=int, default=3, help="seeds of each agent")
    parser.add_argument("--capacity", type=int, default=25_000, help="rows of a checkpoint")
    parser.add_argument("--steps", type=int, default=1000, help="gradient steps")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--max_steps", type=int, default=27_000, help="per episode")
    args = parser.parse_args(argv)
    logs, data_dir = args.out / "logs", args.out / "data"
    for game in GAMES:
        if not (logs / find_game(game).name).exists():
            record_improving.main([game, f"--out={logs}", f"--capacity={args.capacity}"])

    def score(checkpoint: int, game: str, run: int) -> Evaluation:
        options = {"data_dir": data_dir, "out": args.out / "curves", "seed": run, "evaluations": 1}
        options |= {name: getattr(args, name) for name in ("steps", "episodes", "max_steps")}
        return behaviour_cloning.main(
            [
                prepare(game, checkpoint, logs, data_dir),
                *(f"--{name}={value}" for name, value in options.items()),
            ]
        )

    results = {
        f"clone of checkpoint {checkpoint}": [
            [score(checkpoint, game, run) for game in GAMES] for run in range(args.runs)
        ]
        for checkpoint in CHECKPOINTS
    }
    table = pd.DataFrame(score_table(results))
    table.to_csv(args.out / "scores.csv", index=False)
    scores = ["unclipped_return", "human_normalized", "dqn_normalized"]
    print(table.groupby(["agent", "game"])[scores].mean().round(3).to_string())
    draw(results, args.out / "scores.png")


if __name__ == "__main__":
    main()
