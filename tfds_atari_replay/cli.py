"""The command line: `python -m tfds_atari_replay record|inspect|show`."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tfds_atari_replay import replay_logs


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit status: 0, or 1 after an error that is the user's.

    `inspect` returns 1 too if a checkpoint is damaged or lacks files.
    """
    args = _parser().parse_args(argv)
    try:
        status: int | None = args.command(args)
    except (replay_logs.ReplayLogError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return status or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tfds_atari_replay",
        description="DQN Replay logs: record them, inspect them, look at datasets made of them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    record = commands.add_parser(
        "record", help="play a game and write logs as Dopamine's logger does"
    )
    record.add_argument("game", help="any spelling of its name")
    record.add_argument("--steps", type=int, required=True, help="agent steps to play")
    record.add_argument(
        "--out", type=pathlib.Path, required=True, help="folder for <Game>/<run>/..."
    )
    record.add_argument(
        "--capacity", type=int, default=1_000_000, help="rows a checkpoint (7 KB of memory each)"
    )
    record.add_argument(
        "--policy",
        metavar="MODULE:NAME",
        help="callable from uint8 (1, 4, 84, 84) to actions (1,); default: random actions",
    )
    record.add_argument("--run", type=int, default=1, help="number of the run")
    record.add_argument("--seed", type=int, default=0, help="of the emulator and of random actions")
    record.set_defaults(command=_record)

    inspect = commands.add_parser(
        "inspect",
        help="say what a folder of logs holds, lacks and repeats",
        description="Says what a folder of logs holds, lacks and repeats. The exit status is 1 if "
        "a checkpoint is damaged or lacks files, or if there is none.",
    )
    inspect.add_argument("path", help="folder, or gs://...")
    inspect.add_argument(
        "--deep", action="store_true", help="read every byte: find damage, count steps exactly"
    )
    inspect.add_argument("--json", action="store_true", help="for programs")
    inspect.set_defaults(command=_inspect)

    show = commands.add_parser("show", help="say what a built dataset holds; draw an episode of it")
    show.add_argument("config", help="as in tfds.load, e.g. breakout_expert_v0")
    show.add_argument("--data_dir", help="TFDS's data_dir, where the dataset was built")
    show.add_argument(
        "--episode", type=int, help="episode_id to draw; default: that of best return"
    )
    show.add_argument("--out", type=pathlib.Path, default=pathlib.Path("episode.png"))
    show.set_defaults(command=_show)
    return parser


def _record(args: argparse.Namespace) -> None:
    # Imported here: the emulator is needed for this command alone.
    from tfds_atari_replay import recording

    folder = recording.record(
        args.game,
        args.out,
        steps=args.steps,
        capacity=args.capacity,
        policy=_load_policy(args.policy) if args.policy else None,
        run=args.run,
        seed=args.seed,
    )
    print(f"Wrote {folder}")


def _load_policy(path: str) -> Any:
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"--policy must be MODULE:NAME of a callable (got {path!r}): {error}"
        ) from error


def _inspect(args: argparse.Namespace) -> int:
    from tfds_atari_replay import inspection

    reports = inspection.inspect(args.path, deep=args.deep)
    bad = sum(not report.is_usable for report in reports)
    if args.json:
        checkpoints = [dataclasses.asdict(report) for report in reports]
        print(json.dumps({"is_usable": not bad, "checkpoints": checkpoints}, indent=2))
    else:
        inspection.print_tables(reports, deep=args.deep)
    return min(bad, 1)


def _show(args: argparse.Namespace) -> None:
    import cv2

    from tfds_atari_replay import figures

    builder = tfds.builder(f"atari_replay/{args.config}", data_dir=args.data_dir)
    if not builder.is_prepared():
        raise FileNotFoundError(
            f"{builder.data_path} holds no dataset. Build it first:\n"
            f"  tfds build {builder.name}/{args.config} --imports=tfds_atari_replay "
            f"--data_dir={builder._data_dir_root} --manual_dir=LOGS"
        )
    fields = {name: True for name in builder.info.features if name != "steps"}
    decoders = tfds.decode.PartialDecoding({**fields, "steps": {"action", "reward", "is_terminal"}})
    summary = {
        int(episode["episode_id"]): episode
        for episode in tfds.as_numpy(builder.as_dataset(split="train", decoders=decoders))
    }
    lengths = {key: _length(list(episode["steps"])) for key, episode in summary.items()}
    returns = {key: float(episode["episode_return"]) for key, episode in summary.items()}
    chosen = max(returns, key=lambda key: returns[key]) if args.episode is None else args.episode
    if chosen not in summary:
        raise ValueError(f"--episode must be one of {sorted(summary)} (got {args.episode}).")

    _print_summary(builder, summary, lengths, returns)
    picked = builder.as_dataset(split="train").filter(
        lambda episode: episode["episode_id"] == chosen
    )
    steps = list(tfds.as_numpy(next(iter(picked))["steps"]))[: lengths[chosen]]
    sheet = figures.contact_sheet(
        f"{builder.name}/{args.config}, episode {chosen}: {lengths[chosen]} steps, "
        f"return {returns[chosen]:g}",
        np.array([step["observation"] for step in steps]),
        np.array([step["action"] for step in steps]),
        np.array([step["reward"] for step in steps]),
        builder.info.metadata["action_meanings"],
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.out), sheet):
        raise OSError(f"Could not write {args.out}.")
    print(f"\nEpisode {chosen} is drawn in {args.out}")


def _length(steps: list[dict[str, Any]]) -> int:
    """How many steps were logged: the terminal state at the end is none."""
    return len(steps) - bool(steps[-1]["is_terminal"])


def _print_summary(
    builder: Any, summary: dict[int, Any], lengths: dict[int, int], returns: dict[int, float]
) -> None:
    metadata = builder.info.metadata
    print(f"\n{builder.info.full_name} in {builder.data_path}")
    print(
        f"{metadata['game']}, run {metadata['run']}, checkpoint "
        f"{', '.join(map(str, metadata['checkpoints']))}: {len(summary)} episodes, "
        f"{metadata['transitions']:,} steps, {builder.info.dataset_size / 1e6:.1f} MB\n"
    )
    print("episode_id  steps  return  is_complete")
    for key in sorted(summary)[:20]:
        complete = bool(summary[key]["is_complete"])
        print(f"{key:10}{lengths[key]:7}{returns[key]:8g}  {complete}")
    if len(summary) > 20:
        print(f"       ... {len(summary) - 20} more")
