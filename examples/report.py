"""Prints and draws what all runs scored.

python examples/report.py OUT
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from tfds_atari_replay import evaluate, find_game
from tfds_atari_replay.envs.policies import RandomPolicy

RANDOM_EPISODES = 50


def random_returns(game: str, folder: pathlib.Path) -> Any:
    """Returns of random play, measured once."""
    path = folder / f"random-{game}.npy"
    if not path.exists():
        policy = RandomPolicy(find_game(game), seed=0)
        np.save(path, evaluate(policy, game, episodes=RANDOM_EPISODES, num_envs=10).returns)
    return np.load(path)


def standard_error(returns: Any) -> float:
    """Of the mean."""
    return float(np.std(returns, ddof=1)) / math.sqrt(len(returns))


def summary(runs: list[dict[str, Any]], random: Any) -> str:
    """A row of the table: each seed, all of them, and how far above random play they are."""
    returns = [run["points"][-1]["returns"] for run in runs]
    seeds = ", ".join(f"{np.mean(one):.1f} ± {standard_error(one):.1f}" for one in returns)
    every = np.concatenate(returns)
    error = math.hypot(standard_error(every), standard_error(random))
    above = (every.mean() - random.mean()) / error
    return f"{seeds} | {every.mean():.1f} ± {standard_error(every):.1f} | {above:.1f}"


def draw(axes: Any, runs: list[dict[str, Any]], label: str, color: int) -> None:
    """Draws the mean over the seeds, and a band from the worst to the best of them."""
    steps = [point["step"] for point in runs[0]["points"]]
    means = [[np.mean(point["returns"]) for point in run["points"]] for run in runs]
    axes.plot(steps, np.mean(means, axis=0), color=f"C{color}", marker="o", label=label)
    axes.fill_between(
        steps, np.min(means, axis=0), np.max(means, axis=0), color=f"C{color}", alpha=0.2
    )


def main() -> None:
    """Reads the results that the examples wrote; draws `examples.png` beside them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    groups: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*-seed*.json")):
        run = json.loads(path.read_text())
        game, _, checkpoint, _ = run["config"].split("_")
        groups.setdefault((game, int(checkpoint), run["example"]), []).append(run)
    games = sorted({game for game, _, _ in groups})
    figure, panels = plt.subplots(
        1, len(games), figsize=(6 * len(games), 5.5), layout="constrained", squeeze=False
    )
    print("| game | example | checkpoint | each seed | all | above random, standard errors |")
    print("| --- | --- | --- | --- | --- | --- |")
    # One colour for an agent and a checkpoint, whatever the game.
    kinds = sorted({(checkpoint, example) for _, checkpoint, example in groups})
    for game, axes in zip(games, panels[0], strict=True):
        random = random_returns(game, folder)
        print(
            f"| {game} | random play | | | {random.mean():.1f} ± {standard_error(random):.1f} | |"
        )
        axes.axhline(random.mean(), color="grey", linestyle="--", label="random play")
        for _, checkpoint, example in (key for key in sorted(groups) if key[0] == game):
            runs = groups[game, checkpoint, example]
            print(f"| {game} | {example} | {checkpoint} | {summary(runs, random)} |")
            draw(
                axes,
                runs,
                f"{example}, checkpoint {checkpoint}",
                kinds.index((checkpoint, example)),
            )
        axes.set(title=game, xlabel="gradient steps", ylabel="mean return, unclipped")
        axes.set_xlim(left=0)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.savefig(folder / "examples.png", dpi=100)


if __name__ == "__main__":
    main()
