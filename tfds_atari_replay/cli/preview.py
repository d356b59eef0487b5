"""Writes an HTML report on a built dataset: numbers, figures, episodes to play.

Look at it before you train: it says what the dataset holds and lacks, and shows returns over time
and, where they are known, true scores.
"""

from __future__ import annotations

import argparse
import pathlib

from tfds_atari_replay.figures import page, summaries
from tfds_atari_replay.prepared.opening import open_prepared

EXAMPLE = "breakout_expert_v0 --data_dir=quickstart/data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("config", help="as in tfds.load, e.g. breakout_expert_v0")
    parser.add_argument("--data_dir", help="TFDS's data_dir, where the dataset was built")
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("preview"),
        help="folder for index.html; default: %(default)s",
    )


def run(args: argparse.Namespace) -> int:
    """Runs the command."""
    open_prepared(args.config, data_dir=args.data_dir)  # if it fails, no folder is made
    page.check_can_write(args.out)
    path = page.write_page(summaries.summarize(args.config, data_dir=args.data_dir), args.out)
    print(f"Wrote {path}")
    return 0
