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

COMMANDS = {"record": record, "inspect": inspect, "show": show, "preview": preview}


class _Formatter(argparse.HelpFormatter):
    """Python's formatter, but examples stay on one line, to be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith("Example:") else super()._fill_text(text, width, indent)


class _Parser(argparse.ArgumentParser):
    """Python's parser, but it suggests a command for an unknown one."""

    def __init__(self, **options: Any):
        super().__init__(formatter_class=_Formatter, **options)

    def error(self, message: str) -> NoReturn:
        unknown = re.search("COMMAND: invalid choice: '(.*?)'", message)
        close = difflib.get_close_matches(unknown[1], COMMANDS, n=1) if unknown else []
        super().error(message + "".join(f". Did you mean {name!r}?" for name in close))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
      argv: its name and arguments; default: those of the process.

    Returns:
      The exit status: 0; 1 after an error that the user can fix, or if `inspect` found a
      checkpoint that is damaged or lacks files; 2 for wrong arguments, or for none, which shows the
      help; 130 after Ctrl-C; 141 if the reader of its output stopped early, as `head` does.
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
        # Python flushes once more at exit.
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
    for name, module in COMMANDS.items():
        description = module.__doc__ or ""
        command = commands.add_parser(
            name,
            help=description.partition("\n")[0],
            description=description,
            epilog=f"Example: atari-replay {name} {module.EXAMPLE}",
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser
