"""Says what a built dataset holds, and draws one of its episodes."""

from __future__ import annotations

import argparse
import pathlib

import cv2
import numpy as np

from tfds_atari_replay import figures

EXAMPLE = "breakout_expert_v0 --data_dir=quickstart/data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("config", help="as in tfds.load, e.g. breakout_expert_v0")
    parser.add_argument("--data_dir", help="TFDS's data_dir, where the dataset was built")
    parser.add_argument(
        "--episode", type=int, help="episode_id to draw; default: the one with the best return"
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("episode.png"),
        help="PNG or JPEG to write; an existing one is replaced; default: %(default)s",
    )


def run(args: argparse.Namespace) -> int:
    """Runs the command."""
    if args.out.suffix.lower() not in (".png", ".jpg", ".jpeg") or args.out.is_dir():
        raise ValueError(
            "--out must be the name of a PNG or JPEG picture, such as episode.png "
            f"(got '{args.out}')"
        )
    summary = figures.summarize(args.config, data_dir=args.data_dir)
    episode = summary.read(args.episode)
    _print_summary(summary)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(args.out), episode.contact_sheet()[..., ::-1]):
        raise OSError(f"Could not write {args.out}.")
    print(f"\nDrew episode {episode.episode_id} in {args.out}")
    return 0


def _print_summary(summary: figures.Summary) -> None:
    metadata, builder, episodes = summary.metadata, summary.builder, summary.episodes
    print(f"\n{builder.info.full_name} in {builder.data_path}")
    print(
        f"{summary.source}: {len(episodes)} episodes, "
        f"{metadata['transitions']:,} steps, {builder.info.dataset_size / 1e6:.1f} MB"
    )
    if gaps := metadata.get("gaps"):
        before = ", ".join(str(gap["before"]) for gap in gaps)
        print(f"Episodes are cut at the gaps before checkpoint {before}")
    print()
    print("episode_id  steps  score  clipped return  is_complete")
    for episode in episodes[:20]:
        score = episode["unclipped_return"]
        print(
            f"{episode['episode_id']:10}{episode['length']:7}"
            f"{'?' if np.isnan(score) else f'{score:.0f}':>7}{episode['episode_return']:16g}  "
            f"{episode['is_complete']}"
        )
    if len(episodes) > 20:
        print(f"       ... {len(episodes) - 20} more")
