"""Plays a game and writes logs as Dopamine's logger does."""

from __future__ import annotations

import argparse
import importlib
import os
import pathlib
import shlex
import sys
from typing import TYPE_CHECKING

from etils import epath

from tfds_atari_replay import configs, games
from tfds_atari_replay.logs import layouts

if TYPE_CHECKING:
    from tfds_atari_replay.envs.policies import Policy


EXAMPLE = "breakout --steps 5000 --capacity 1000 --out MY_LOGS"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("game", help="any spelling of its name")
    parser.add_argument("--steps", type=int, required=True, help="agent steps to play")
    parser.add_argument(
        "--out", type=pathlib.Path, required=True, help="folder; logs go to <out>/<Game>/<run>/..."
    )
    parser.add_argument(
        "--capacity",
        type=int,
        help="rows in each checkpoint (7 KB of memory each); default: as many as the steps need, "
        "at most 1,000,000",
    )
    parser.add_argument(
        "--policy",
        metavar="MODULE:NAME",
        help="callable from uint8 (1, 4, 84, 84) to actions (1,); default: random actions",
    )
    parser.add_argument(
        "--run", type=int, default=1, dest="run_number", help="number of the run; default: 1"
    )
    parser.add_argument(
        "--seed", type=int, help="of the emulator and of random actions; default: the run's less 1"
    )


def run(args: argparse.Namespace) -> int:
    """Runs the command."""
    # Only this command needs the emulator.
    from tfds_atari_replay.envs import recording

    folder = recording.record(
        args.game,
        args.out,
        steps=args.steps,
        capacity=args.capacity,
        policy=_load_policy(args.policy) if args.policy else None,
        run=args.run_number,
        seed=args.seed,
    )
    print(f"Wrote {folder}")
    game = games.find_game(args.game)
    newest = layouts.find_run(epath.Path(args.out), game, args.run_number)[-1]
    found = configs.find_config(f"{game.rom}_epoch_{newest.number}_v{newest.run - 1}")
    if found is not None:  # configs are named for five runs of 51 checkpoints
        print(
            f"Its last checkpoint as a dataset:\n  tfds build atari_replay/{found.name} "
            f"--imports=tfds_atari_replay --manual_dir={shlex.quote(str(args.out))}"
        )
    return 0


def _load_policy(path: str) -> Policy:
    """Imports a policy; as with `python -m`, its module may be in the current folder."""
    wanted = f"--policy must be MODULE:NAME of a callable (got {path!r})"
    module, _, name = path.partition(":")
    if not module or not name or module.startswith("."):
        raise ValueError(wanted)
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # the module exists; what it imports is missing
        raise ValueError(
            f"{wanted}: no module {error.name!r} in {folder}, nor installed"
        ) from error
    finally:
        sys.path.remove(folder)
    if not hasattr(found, name):
        raise ValueError(f"{wanted}: {module} has no {name!r}")
    policy: Policy = getattr(found, name)
    if not callable(policy):
        raise ValueError(f"{wanted}: {module}.{name} is {policy!r}")
    return policy
