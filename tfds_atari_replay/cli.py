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
import tqdm

from tfds_atari_replay import replay_logs, steps


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
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130  # as shells say it
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


@dataclasses.dataclass(frozen=True)
class _Episode:
    """A line of `show`."""

    id: int
    steps: int
    score: float
    is_complete: bool


def _show(args: argparse.Namespace) -> None:
    import cv2

    if not cv2.haveImageWriter(str(args.out)):
        raise ValueError(f"--out must be a picture's name, such as episode.png (got '{args.out}')")
    builder = tfds.builder(f"atari_replay/{args.config}", data_dir=args.data_dir)
    if not builder.is_prepared():
        raise FileNotFoundError(
            f"{builder.data_path} holds no dataset. Build it first:\n"
            f"  tfds build {builder.name}/{args.config} --imports=tfds_atari_replay "
            f"--data_dir={builder.data_path.parents[2]} --manual_dir=LOGS"
        )
    episodes = _list_episodes(builder)
    chosen = _choose(episodes, args.episode)
    _print_summary(builder, episodes)
    sheet = _draw(builder, chosen)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.out), sheet):
        raise OSError(f"Could not write {args.out}.")
    print(f"\nEpisode {chosen.id} is drawn in {args.out}")


def _list_episodes(builder: Any) -> list[_Episode]:
    """All episodes in the order of time. Of their steps a column is read, and no frame unpacked."""
    ended = builder.info.features["steps"].feature.get_tensor_info()["is_terminal"]
    stored = builder.as_dataset(split="train", decoders={"steps": tfds.decode.SkipDecoding()})
    found = []
    for episode in tqdm.tqdm(tfds.as_numpy(stored), desc="Reading", unit=" episodes", disable=None):
        is_terminal = steps.decode_column_np(episode["steps"]["is_terminal"], ended)
        found.append(
            _Episode(
                int(episode["episode_id"]),
                # The terminal state at the end was not logged as a step.
                len(is_terminal) - int(is_terminal[-1]),
                float(episode["episode_return"]),
                bool(episode["is_complete"]),
            )
        )
    return sorted(found, key=lambda episode: episode.id)


def _choose(episodes: Sequence[_Episode], number: int | None) -> _Episode:
    """The episode to draw: that of this id or, without one, of the best return."""
    with_steps = {episode.id: episode for episode in episodes if episode.steps}
    if number is None and with_steps:
        return max(with_steps.values(), key=lambda episode: episode.score)
    if number not in with_steps:
        ids = sorted(with_steps)
        shown = f"{ids[0]} to {ids[-1]}" if len(ids) > 9 else ", ".join(map(str, ids)) or "none"
        raise ValueError(f"--episode must be one with steps: {shown} (got {number})")
    return with_steps[number]


def _draw(builder: Any, episode: _Episode) -> Any:
    from tfds_atari_replay import figures

    picked = builder.as_dataset(split="train").filter(lambda one: one["episode_id"] == episode.id)
    found = list(tfds.as_numpy(next(iter(picked))["steps"].take(episode.steps)))
    return figures.contact_sheet(
        f"{builder.info.full_name}, episode {episode.id}: {episode.steps} steps, "
        f"return {episode.score:g}",
        np.array([step["observation"] for step in found]),
        np.array([step["action"] for step in found]),
        np.array([step["reward"] for step in found]),
        builder.info.metadata["action_meanings"],
    )


def _print_summary(builder: Any, episodes: Sequence[_Episode]) -> None:
    metadata = builder.info.metadata
    print(f"\n{builder.info.full_name} in {builder.data_path}")
    print(
        f"{metadata['game']}, run {metadata['run']}, checkpoint "
        f"{', '.join(map(str, metadata['checkpoints']))}: {len(episodes)} episodes, "
        f"{metadata['transitions']:,} steps, {builder.info.dataset_size / 1e6:.1f} MB\n"
    )
    print("episode_id  steps  return  is_complete")
    for episode in episodes[:20]:
        print(f"{episode.id:10}{episode.steps:7}{episode.score:8g}  {episode.is_complete}")
    if len(episodes) > 20:
        print(f"       ... {len(episodes) - 20} more")
