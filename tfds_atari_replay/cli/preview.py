"""`preview`: a built dataset as a page to look at."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from tfds_atari_replay.figures import page, summaries
from tfds_atari_replay.prepared.opening import open_prepared


def add_parser(commands: Any) -> None:
    """Adds the command to those of the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "preview",
        help="write an HTML report on a built dataset: numbers, figures, animations",
        description="Writes an HTML report on a built dataset, to check it before you train: what "
        "it holds and lacks, returns over time, true scores where known, and episodes to play.",
        epilog="Example: atari-replay preview breakout_expert_v0 --data_dir=quickstart/data",
    )
    parser.add_argument("config", help="as in tfds.load, e.g. breakout_expert_v0")
    parser.add_argument("--data_dir", help="TFDS's data_dir, where the dataset was built")
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("preview"),
        help="folder for index.html; default: %(default)s",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    open_prepared(args.config, data_dir=args.data_dir)  # if it fails, nothing is made
    page.check_can_write(args.out)
    path = page.write_page(summaries.summarize(args.config, data_dir=args.data_dir), args.out)
    print(f"Wrote {path}")
    return 0
