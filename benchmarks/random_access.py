"""Random batches of transitions, against other ways, side by side on the same play.

  python benchmarks/random_access.py [--data FOLDER] [--steps 200000] [--rounds 3] [--picture FILE]

For each of six games, real play is recorded (random play, but Breakout's player follows the ball).
`--data` keeps it, or finds it there. Transitions are state, action, reward and next state with
stacks of four frames, drawn uniformly. Each way runs in a process of its own, on one core and on
all; in each round all are measured in turn, so that what else the machine does falls on all.

- ours: `load_replay(...).transitions()`; its memory is that of the packed frames.
- raw windows: windows of five raw frames in memory, gathered by NumPy's indexing.
- d4rl-atari: its list of stacks that share the frames in memory; np.stack of a batch.
- Dopamine: its `OutOfGraphReplayBuffer`, if dopamine-rl is installed.
- d3rlpy: its `FrameStackTransitionPicker`, if d3rlpy is installed.
- TorchRL: a `ReplayBuffer` in memory with slices of five frames, if torchrl is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tqdm
from etils import epath
from players import BallFollower
from reading import d4rl_stacks

import tfds_atari_replay
from tfds_atari_replay.logs import layouts

GAMES = ("breakout", "freeway", "ms_pacman", "riverraid", "asterix", "seaquest")
BATCHES = (32, 256)
_SECONDS, _WARM_UP = 2, 0.5

Sampler = Callable[[int], Any]
"""Draws a batch of a size."""


def ours(data: pathlib.Path, game: str) -> Sampler:
    """Random indices of a source."""
    name = f"atari_replay/{game}_epoch_0_v0"
    replay = tfds_atari_replay.load_replay(name, data_dir=data / "datasets", download=False)
    source = replay.transitions()
    rng = np.random.default_rng(0)
    return lambda size: source[rng.integers(len(source), size=size)]


def raw_windows(data: pathlib.Path, game: str) -> Sampler:
    """The least to be done with raw frames; stacks across episodes are not mended."""
    rows = load_rows(data, game)
    rng = np.random.default_rng(0)

    def sample(size: int) -> Any:
        last = rng.integers(3, len(rows["action"]) - 1, size=size)
        windows = rows["observation"][last[:, np.newaxis] + np.arange(-3, 2)]
        return windows[:, :4], *(rows[name][last] for name in ("action", "reward", "terminal"))

    return sample


def d4rl_atari(data: pathlib.Path, game: str) -> Sampler:
    """Random places of its list of stacks."""
    rows = load_rows(data, game)
    stacks = d4rl_stacks(rows["observation"], rows["terminal"])
    rng = np.random.default_rng(0)

    def sample(size: int) -> Any:
        places = rng.integers(0, len(stacks) - 1, size)
        states, after = (np.stack([stacks[p] for p in some]) for some in (places, places + 1))
        return states, *(rows[name][places] for name in ("action", "reward", "terminal")), after

    return sample


def dopamine(data: pathlib.Path, game: str) -> Sampler:
    """Its replay buffer, in memory."""
    from dopamine.tf.replay_memory import circular_replay_buffer

    rows = load_rows(data, game)
    count = len(rows["action"])
    buffer = circular_replay_buffer.OutOfGraphReplayBuffer((84, 84), 4, count, 32)
    buffer._store.update(rows)
    buffer.add_count = np.array(2 * count - 1)
    buffer.invalid_range = circular_replay_buffer.invalid_range(buffer.cursor(), count, 4, 1)
    return lambda size: buffer.sample_transition_batch(size)


def d3rlpy(data: pathlib.Path, game: str) -> Sampler:
    """Its picker of transitions with stacked frames."""
    import d3rlpy as library  # type: ignore[import-not-found, unused-ignore]

    rows = load_rows(data, game)
    dataset = library.dataset.ReplayBuffer(
        library.dataset.InfiniteBuffer(),
        transition_picker=library.dataset.FrameStackTransitionPicker(n_frames=4),
        episodes=library.dataset.MDPDataset(
            rows["observation"][:, np.newaxis], rows["action"], rows["reward"], rows["terminal"]
        ).episodes,
    )
    return lambda size: dataset.sample_transition_batch(size)


def torchrl(data: pathlib.Path, game: str) -> Sampler:
    """Its buffer in memory, which samples slices of five consecutive steps."""
    import tensordict  # type: ignore[import-not-found, unused-ignore]
    import torch  # type: ignore[import-not-found, unused-ignore]
    from torchrl.data import (  # type: ignore[import-not-found, unused-ignore]
        LazyTensorStorage,
        ReplayBuffer,
        SliceSampler,
    )

    rows = {name: torch.as_tensor(array) for name, array in load_rows(data, game).items()}
    rows["done"] = rows.pop("terminal").bool()
    count = len(rows["action"])
    buffer = ReplayBuffer(
        storage=LazyTensorStorage(count),
        sampler=SliceSampler(slice_len=5, end_key="done", cache_values=True),
        batch_size=5,
    )
    buffer.extend(tensordict.TensorDict(rows, batch_size=[count]))
    return lambda size: buffer.sample(5 * size)


WAYS: dict[str, Callable[..., Sampler]] = {
    "ours": ours,
    "raw windows": raw_windows,
    "d4rl-atari's list": d4rl_atari,
    "Dopamine's buffer": dopamine,
    "d3rlpy's picker": d3rlpy,
    "TorchRL's slices": torchrl,
}
_NEEDS = {
    "Dopamine's buffer": "dopamine",
    "d3rlpy's picker": "d3rlpy",
    "TorchRL's slices": "torchrl",
}


def load_rows(data: pathlib.Path, game: str) -> dict[str, Any]:
    """All rows of the recorded play, as these libraries read them."""
    found = tfds_atari_replay.find_game(game)
    (files,) = layouts.find_run(epath.Path(data / "logs"), found, 1)
    opened: Any = files.open()
    rows = opened.rows()
    written = slice(0, opened.cursor)
    return {
        "observation": rows.frames[written],
        "action": rows.action[written],
        "reward": rows.reward[written],
        "terminal": rows.terminal[written],
    }


def prepare(data: pathlib.Path, steps: int) -> None:
    """Records what is not there yet, builds the datasets and packs them."""
    import tensorflow_datasets as tfds

    from tfds_atari_replay.envs import recording

    for game in GAMES:
        folder = data / "logs" / tfds_atari_replay.find_game(game).name
        if not folder.exists():
            policy = BallFollower() if game == "breakout" else None
            # The ring has room for all steps, and for padding.
            recording.record(
                game, data / "logs", steps=steps, capacity=steps + steps // 20, policy=policy
            )
        start = time.perf_counter()
        config = tfds.download.DownloadConfig(manual_dir=str(data / "logs"))
        tfds.builder(
            f"atari_replay/{game}_epoch_0_v0",
            data_dir=str(data / "datasets"),
            file_format="array_record",
        ).download_and_prepare(download_config=config)
        built = time.perf_counter()
        ours(data, game)
        print(
            f"{game}: built in {built - start:.1f} s, packed in {time.perf_counter() - built:.1f}"
        )


def work(way: str, data: pathlib.Path, game: str, cores: int) -> None:
    """Measures one way; prints transitions/s by size of batch, GB of memory, seconds to load."""
    start = time.perf_counter()
    sample = WAYS[way](data, game)
    sample(BATCHES[0])
    loaded = time.perf_counter() - start
    speeds = []
    for size in BATCHES:
        start = time.perf_counter()
        while time.perf_counter() - start < _WARM_UP:
            sample(size)
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < _SECONDS:
            sample(size)
            count += size
        speeds.append(count / (time.perf_counter() - start))
    print(*speeds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, loaded)
    assert len(os.sched_getaffinity(0)) == cores


def measure(data: pathlib.Path, rounds: int) -> dict[tuple[str, str, int], list[float]]:
    """Returns the median of what `work` prints, by game, way and cores."""
    ways = [way for way in WAYS if way not in _NEEDS or importlib.util.find_spec(_NEEDS[way])]
    all_cores = sorted(os.sched_getaffinity(0))
    jobs = [
        (game, way, cores)
        for game in GAMES
        for way in ways
        for cores in sorted({1, len(all_cores)})
    ]
    results: dict[tuple[str, str, int], list[list[float]]] = {job: [] for job in jobs}
    with tqdm.tqdm(total=rounds * len(jobs), desc="Measuring") as bar:
        for _ in range(rounds):
            for game, way, cores in jobs:
                command = [sys.executable, __file__, "--data", str(data), "--work", way]
                command += ["--game", game, "--cores", str(cores)]
                os.sched_setaffinity(0, all_cores[:cores])  # inherited
                output = subprocess.run(
                    command, stdout=subprocess.PIPE, text=True, check=True
                ).stdout
                numbers = output.splitlines()[-1].split()  # d3rlpy prints more before
                results[game, way, cores].append([float(number) for number in numbers])
                bar.update()
    os.sched_setaffinity(0, all_cores)
    return {job: np.median(rows, axis=0).tolist() for job, rows in results.items()}


def report(results: dict[tuple[str, str, int], list[float]]) -> None:
    """Prints a table for each size of batch, and one of memory and loading."""
    ways = list(dict.fromkeys(way for _, way, _ in results))
    cores = sorted({cores for *_, cores in results})
    for column, size in enumerate(BATCHES):
        print(f"\nTransitions/s, batches of {size}, on {' and '.join(map(str, cores))} cores\n")
        print(f"| | {' | '.join(GAMES)} |\n| --- |{' --- |' * len(GAMES)}")
        for way in ways:
            cells = [
                ", ".join(f"{results[game, way, some][column]:,.0f}" for some in cores)
                for game in GAMES
            ]
            print(f"| {way} | {' | '.join(cells)} |")
    print(f"\nGB of memory, seconds until the first batch\n\n| | {' | '.join(GAMES)} |")
    print(f"| --- |{' --- |' * len(GAMES)}")
    for way in ways:
        rows = [results[game, way, cores[-1]] for game in GAMES]
        print(f"| {way} | {' | '.join(f'{row[2]:.2f}, {row[3]:.1f}' for row in rows)} |")


def draw(results: dict[tuple[str, str, int], list[float]], path: pathlib.Path) -> None:
    """Draws speeds of batches of 256 and memory, on all cores."""
    import matplotlib.pyplot as plt

    ways = list(dict.fromkeys(way for _, way, _ in results))
    cores = max(cores for *_, cores in results)
    figure, axes = plt.subplots(2, 1, figsize=(10, 7), sharex=True, layout="constrained")
    titles = ("transitions a second, random batches of 256", "memory, GB")
    grays = iter(("0.35", "0.5", "0.65", "0.75", "0.85"))
    width = 0.8 / len(ways)
    for number, way in enumerate(ways):
        color = "tab:blue" if way == "ours" else next(grays)
        for axis, column, title in zip(axes, (1, 2), titles, strict=True):
            heights = [results[game, way, cores][column] for game in GAMES]
            places = np.arange(len(GAMES)) + (number - (len(ways) - 1) / 2) * width
            axis.bar(places, heights, width, label=way, color=color)
            axis.set_title(title, loc="left")
            axis.spines[["top", "right"]].set_visible(False)
    names = [tfds_atari_replay.find_game(game).name for game in GAMES]
    axes[1].set_xticks(np.arange(len(GAMES)), names)
    axes[0].yaxis.set_major_formatter("{x:,.0f}")
    axes[0].legend(ncols=3, loc="upper right", fontsize="small")
    axes[0].margins(y=0.25)
    figure.savefig(path, dpi=110)


def main(data: pathlib.Path, steps: int, rounds: int, picture: pathlib.Path | None) -> None:
    """Prints the tables, and draws them."""
    prepare(data, steps)
    results = measure(data, rounds)
    report(results)
    if picture:
        draw(results, picture)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--picture", type=pathlib.Path)
    parser.add_argument("--work", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--game", choices=GAMES, help=argparse.SUPPRESS)
    parser.add_argument("--cores", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work, args.data, args.game, args.cores)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(args.data or pathlib.Path(temporary), args.steps, args.rounds, args.picture)
