"""Parses the command line and runs a command."""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from tfds_atari_replay.cli import inspect, preview, record, show
from tfds_atari_replay.logs.errors import ReplayLogError

COMMANDS = (record, inspect, show, preview)


class _Formatter(argparse.HelpFormatter):
    """Python's, which keeps examples in one line, to be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith("Example:") else super()._fill_text(text, width, indent)


class _Parser(argparse.ArgumentParser):
    """Python's, which suggests commands."""

    def __init__(self, **options: Any):
        super().__init__(formatter_class=_Formatter, **options)

    def error(self, message: str) -> NoReturn:
        unknown = re.search("COMMAND: invalid choice: '(.*?)'", message)
        names = [command.__name__.rpartition(".")[2] for command in COMMANDS]
        close = difflib.get_close_matches(unknown[1], names, n=1) if unknown else []
        super().error(message + "".join(f". Did you mean {name!r}?" for name in close))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
      The exit status: 0; 1 after an error that the user can fix, or if `inspect` found a
      checkpoint that is damaged or lacks files; 2 without a command, which shows the help, or with
      wrong arguments; 130 after Ctrl-C; 141 if what it prints is not read to its end, as by `head`.
    """
    parser = make_parser()
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments:
        parser.print_help()
        return 2
    args = parser.parse_args(arguments)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # what shells expect
    except (ReplayLogError, ImportError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130  # what shells expect
    return status


def make_parser() -> argparse.ArgumentParser:
    """Makes the parser of all commands."""
    parser = _Parser(
        prog="atari-replay",
        description="DQN Replay logs: record them, inspect them, look at datasets built from them.",
    )
    parser.add_argument(
        "--version", action="version", version=importlib.metadata.version("tfds-atari-replay")
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
