"""Playing: speed against Dopamine's preprocessing, get_dataset against d4rl-atari's, random scores.

  python benchmarks/playing.py [--rounds 5] [--logs LOGS] [--scores]

`--logs` is a folder with a checkpoint of a million rows (benchmarks/make_checkpoint.py); without it
get_dataset is not measured. `--scores` plays 40 random episodes of some games, which takes
minutes, and compares with the published scores of random play.
"""

from __future__ import annotations

import argparse
import functools
import os
import pathlib
import subprocess
import sys
import time
import types
from collections.abc import Callable
from typing import Any

import ale_py
import gymnasium
import numpy as np

import tfds_atari_replay

_STEPS = 3000
_GAME = "Pong"
# Of the games with one ROM in both packages. Scores were published for up to 30 no-ops before an
# episode and no sticky actions; that matters little to who acts at random.
_SCORED = (
    *("Asterix", "Boxing", "Breakout", "Freeway", "Frostbite", "Kangaroo", "Krull", "MsPacman"),
    *("Pong", "Qbert", "RoadRunner", "Zaxxon"),
)

_D4RL = """
import pathlib, resource, sys, time
import numpy as np
from reading import d4rl_stacks, load_arrays
start = time.perf_counter()
arrays = load_arrays(pathlib.Path(sys.argv[1]) / "Breakout" / "1" / "replay_logs")
stacks = d4rl_stacks(arrays["observation"], arrays["terminal"])
"""
_OURS = """
import os, resource, sys, time
import numpy as np
os.environ["ATARI_REPLAY_SOURCE"] = sys.argv[1]
import gymnasium, tfds_atari_replay
env = gymnasium.make("breakout-mixed-v0", stack=True)
start = time.perf_counter()
stacks = env.get_dataset()["observations"]
"""
_READ = """
print(time.perf_counter() - start)
rng = np.random.default_rng(0)
def speed(take):
    take(), take()
    start = time.perf_counter()
    for _ in range(100):
        take()
    return 25_600 / (time.perf_counter() - start)
print(speed(lambda: np.stack([stacks[i] for i in rng.integers(len(stacks), size=256).tolist()])))
print(speed(lambda: stacks[rng.integers(len(stacks), size=256)]) if "os" in globals() else 0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


def dopamine() -> Callable[[int], bool]:
    """Its preprocessing over gymnasium's game; returns a function that plays a step."""
    for name in ("baselines", "baselines.common", "baselines.common.atari_wrappers"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["baselines.common"].atari_wrappers = None  # type: ignore[attr-defined]
    from dopamine.discrete_domains import atari_lib

    gymnasium.register_envs(ale_py)
    game: Any = gymnasium.make(f"ALE/{_GAME}-v5", frameskip=1).unwrapped
    game.env = game
    env = atari_lib.AtariPreprocessing(game)
    env.reset()

    def step(action: int) -> bool:
        is_over = bool(env.step(action)[2])
        if is_over:
            env.reset()
        return is_over

    return step


def ours(**arguments: Any) -> Callable[[int], bool]:
    """One environment of make_env; returns a function that plays a step."""
    env = tfds_atari_replay.make_env(_GAME, **arguments)
    env.reset(seed=0)

    def step(action: int) -> bool:
        is_over = env.step(action)[2]
        if is_over:
            env.reset()
        return is_over

    return step


def steps_per_second(step: Callable[[int], bool]) -> float:
    """Plays random actions."""
    actions = np.random.default_rng(0).integers(6, size=_STEPS).tolist()
    start = time.perf_counter()
    for action in actions:
        step(action)
    return _STEPS / (time.perf_counter() - start)


def evaluated_per_second(num_envs: int, emulator: str) -> float:
    """Steps of episodes that count, while evaluate runs with random actions."""
    start = time.perf_counter()
    result = tfds_atari_replay.evaluate(
        lambda observations: np.zeros(len(observations), np.int64),
        _GAME,
        episodes=3 * num_envs,
        num_envs=num_envs,
        epsilon=1.0,
        emulator=emulator,
    )
    return sum(result.lengths) / (time.perf_counter() - start)


def measure_play(rounds: int) -> None:
    """Prints steps/s, measured in turn."""
    steppers = {
        "Dopamine's class over gymnasium.make": dopamine(),
        "make_env": ours(),
        "make_env, emulator='atari_py'": ours(emulator="atari_py"),
    }
    ways: dict[str, Callable[[], float]] = {
        **{name: functools.partial(steps_per_second, step) for name, step in steppers.items()},
        "evaluate, 1 game": lambda: evaluated_per_second(1, "ale_py"),
        "evaluate, 8 games": lambda: evaluated_per_second(8, "ale_py"),
        "evaluate, 8 games, emulator='atari_py'": lambda: evaluated_per_second(8, "atari_py"),
    }
    results = {name: [way()] for name, way in ways.items()}
    for _ in range(rounds - 1):
        for name, way in ways.items():
            results[name].append(way())
    medians = {name: float(np.median(speeds)) for name, speeds in results.items()}
    first = next(iter(medians.values()))
    print(f"\n| {_GAME}, {os.cpu_count()} cores, median of {rounds} | steps/s | ratio |")
    print("| --- | --- | --- |")
    for name, speed in medians.items():
        print(f"| {name} | {speed:,.0f} | {speed / first:.2f} |")


def measure_get_dataset(logs: pathlib.Path) -> None:
    """Prints seconds, memory, and how fast stacks are picked."""
    print("\n| get_dataset, stack=True | seconds | stacks/s, one by one | at once | peak GB |")
    print("| --- | --- | --- | --- | --- |")
    for name, code in (("d4rl-atari's way", _D4RL), ("ours", _OURS)):
        seconds, single, joined, memory = map(
            float,
            subprocess.run(
                [sys.executable, "-W", "ignore", "-c", code + _READ, str(logs.resolve())],
                cwd=pathlib.Path(__file__).parent,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            ).stdout.split(),
        )
        at_once = f"{joined:,.0f}" if joined else "-"
        print(f"| {name} | {seconds:.1f} | {single:,.0f} | {at_once} | {memory:.2f} |")


def measure_scores() -> None:
    """Prints the scores of random play."""
    print("\n| random play, 40 episodes | mean | standard error | published |")
    print("| --- | --- | --- | --- |")
    for name in _SCORED:
        result = tfds_atari_replay.evaluate(
            lambda observations: np.zeros(len(observations), np.int64),
            name,
            epsilon=1.0,
            episodes=40,
        )
        published = tfds_atari_replay.GAMES[name].random_score
        print(f"| {name} | {result.mean:.1f} | {result.standard_error:.1f} | {published} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--logs", type=pathlib.Path)
    parser.add_argument("--scores", action="store_true")
    args = parser.parse_args()
    measure_play(args.rounds)
    if args.logs:
        measure_get_dataset(args.logs)
    if args.scores:
        measure_scores()
