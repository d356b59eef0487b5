"""What the examples share: options, Keras' network, the learning curve that each of them draws."""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import tensorflow_datasets as tfds

from tfds_atari_replay import Evaluation, find_game
from tfds_atari_replay.games import Game


def make_parser(description: str, *, steps: int, batch_size: int) -> argparse.ArgumentParser:
    """The options of all examples; `steps` and `batch_size` are the defaults."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("dataset", help="such as atari_replay/breakout_expert_v0")
    parser.add_argument("--data_dir", help="where it is prepared; default: TFDS's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=steps, help="gradient steps")
    parser.add_argument("--batch_size", type=int, default=batch_size)
    parser.add_argument("--evaluations", type=int, default=5, help="points of the curve")
    parser.add_argument("--episodes", type=int, default=10, help="per evaluation, all at a time")
    parser.add_argument("--max_steps", type=int, default=27_000, help="per episode")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the results")
    return parser


def make_dqn_parser(description: str) -> argparse.ArgumentParser:
    """Those, and the options of DQN."""
    parser = make_parser(description, steps=2000, batch_size=32)
    parser.add_argument("--n_step", type=int, default=5)
    parser.add_argument("--gamma", type=float, default=0.97)
    parser.add_argument("--target_period", type=int, default=200, help="gradient steps")
    parser.add_argument("--alpha", type=float, default=1.0, help="weight of CQL's penalty; 0: none")
    return parser


def make_keras_network(num_actions: int, batches: Any) -> Any:
    """The network of Mnih et al. (2013): uint8 (B, 84, 84, 4) to float32 (B, num_actions).

    Args:
      num_actions: how many outputs.
      batches: of transitions. What moves differs from their mean, so it is learned much sooner.
    """
    import keras  # which the examples in PyTorch do without

    mean = np.concatenate([batch["observation"] for batch in batches.take(32)]).mean(axis=0)
    return keras.Sequential(
        [
            keras.Input((84, 84, 4), dtype="uint8"),
            keras.layers.Normalization((1, 2, 3), mean=mean, variance=np.full_like(mean, 64**2)),
            keras.layers.Conv2D(16, 8, strides=4, activation="relu"),
            keras.layers.Conv2D(32, 4, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(num_actions),
        ]
    )


def game_of(dataset: str) -> Game:
    """The game of a dataset: Breakout for atari_replay/breakout_expert_v0."""
    return find_game(tfds.builder(dataset).builder_config.game)


def evaluation_of(args: argparse.Namespace) -> dict[str, Any]:
    """The options that are `evaluate`'s."""
    return {
        "episodes": args.episodes,
        "num_envs": args.episodes,
        "seed": args.seed,
        "max_steps": args.max_steps,
    }


class Curve:
    """A learning curve: what the agent scored after so many gradient steps.

    After each point it writes `<example>-<config>-seed<N>.json` and `.png` to the folder `--out`.
    """

    def __init__(self, example: str, args: argparse.Namespace):
        config = args.dataset.rpartition("/")[2]
        self._path = args.out / f"{example}-{config}-seed{args.seed}"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._run = {"example": example, "config": config, "seed": args.seed}
        self._points: list[tuple[int, Evaluation]] = []

    def add(self, step: int, loss: float, result: Evaluation) -> None:
        """Adds a point and draws the curve anew."""
        self._points.append((step, result))
        line = f"{self._path.name}: step {step:,}, loss {loss:.3f}, mean return {result.mean:.2f}"
        print(line, flush=True)
        points = [{"step": step, "returns": result.returns} for step, result in self._points]
        self._path.with_suffix(".json").write_text(json.dumps({**self._run, "points": points}))
        figure, axes = plt.subplots(layout="constrained")
        steps, results = zip(*self._points, strict=True)
        errors = [result.standard_error or 0.0 for result in results]
        axes.errorbar(steps, [result.mean for result in results], errors, marker="o", capsize=3)
        random_score = find_game(result.game).random_score
        if random_score is not None:
            axes.axhline(random_score, color="grey", linestyle="--", label="random, published")
            axes.legend()
        axes.set(title=self._path.name, xlabel="gradient steps", ylabel="return, unclipped")
        figure.savefig(self._path.with_suffix(".png"))
        plt.close(figure)
