"""`show`: what a built dataset holds, and a picture of one episode."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Sequence
from typing import Any

import cv2
import tensorflow_datasets as tfds

from tfds_atari_replay import _extras
from tfds_atari_replay.cli import episodes as episodes_lib
from tfds_atari_replay.cli import figures
from tfds_atari_replay.cli.episodes import EpisodeSummary


def add_parser(commands: Any) -> None:
    """Adds the command to those of the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "show",
        help="say what a built dataset holds; draw one of its episodes",
        description="Says what a built dataset holds, and draws one of its episodes.",
        epilog="Example: atari-replay show breakout_expert_v0 --out episode.png",
    )
    parser.add_argument("config", help="as in tfds.load, e.g. breakout_expert_v0")
    parser.add_argument("--data_dir", help="TFDS's data_dir, where the dataset was built")
    parser.add_argument(
        "--episode", type=int, help="episode_id to draw; default: the one with the best return"
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("episode.png"))
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.out.suffix.lower() not in (".png", ".jpg", ".jpeg") or args.out.is_dir():
        raise ValueError(
            "--out must be the name of a PNG or JPEG picture, such as episode.png "
            f"(got '{args.out}')"
        )
    _extras.check_tensorflow(
        "atari-replay show",
        "Or read with NumPy: tfds.data_source or tfds_atari_replay.load_replay.",
    )
    builder = _open(args.config, args.data_dir)
    episodes = episodes_lib.summarize(builder)
    chosen = choose(episodes, args.episode)
    _print_summary(builder, episodes)
    sheet = _draw(builder, chosen)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.out), sheet):
        raise OSError(f"Could not write {args.out}.")
    print(f"\nDrew episode {chosen.id} in {args.out}")
    return 0


def _open(config: str, data_dir: str | None) -> Any:
    builder = tfds.builder(f"atari_replay/{config}", data_dir=data_dir)
    if not builder.is_prepared():
        raise FileNotFoundError(
            f"{builder.data_path} holds no dataset. Build it first:\n"
            f"  tfds build {builder.name}/{config} --imports=tfds_atari_replay "
            f"--data_dir={builder.data_path.parents[2]} --manual_dir=LOGS"
        )
    return builder


def choose(episodes: Sequence[EpisodeSummary], number: int | None) -> EpisodeSummary:
    """Chooses the episode to draw: the one with this id, or else the best return.

    Raises:
      ValueError: there is none with this id, or none has steps.
    """
    with_steps = {episode.id: episode for episode in episodes if episode.steps}
    if number is None and with_steps:
        return max(with_steps.values(), key=lambda episode: episode.score)
    if number not in with_steps:
        ids = sorted(with_steps)
        shown = f"{ids[0]} to {ids[-1]}" if len(ids) > 9 else ", ".join(map(str, ids)) or "none"
        raise ValueError(f"--episode must be one with steps: {shown} (got {number})")
    return with_steps[number]


def _print_summary(builder: Any, episodes: Sequence[EpisodeSummary]) -> None:
    metadata = builder.info.metadata
    first, last = metadata["checkpoints"][0], metadata["checkpoints"][-1]
    numbers = f"checkpoint {first}" if first == last else f"checkpoints {first} to {last}"
    print(f"\n{builder.info.full_name} in {builder.data_path}")
    print(
        f"{metadata['game']}, run {metadata['run']}, {numbers}: {len(episodes)} episodes, "
        f"{metadata['transitions']:,} steps, {builder.info.dataset_size / 1e6:.1f} MB"
    )
    if gaps := metadata.get("gaps"):
        print(f"Episodes stay cut before checkpoint {', '.join(str(g['before']) for g in gaps)}")
    print()
    print("episode_id  steps  return  is_complete")
    for episode in episodes[:20]:
        print(f"{episode.id:10}{episode.steps:7}{episode.score:8g}  {episode.is_complete}")
    if len(episodes) > 20:
        print(f"       ... {len(episodes) - 20} more")


def _draw(builder: Any, episode: EpisodeSummary) -> figures.Picture:
    steps = episodes_lib.read_steps(builder, episode)
    title = (
        f"{builder.info.full_name}, episode {episode.id}: {episode.steps} steps, "
        f"return {episode.score:g}"
    )
    return figures.contact_sheet(
        title,
        steps["observation"],
        steps["action"],
        steps["reward"],
        builder.info.metadata["action_meanings"],
    )
