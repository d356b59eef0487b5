"""`record`: plays a game and writes logs."""

from __future__ import annotations

import argparse
import importlib
import os
import pathlib
import shlex
import sys
from typing import Any

from etils import epath

from tfds_atari_replay import configs, games
from tfds_atari_replay.logs import layouts


def add_parser(commands: Any) -> None:
    """Adds the command to those of the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "record",
        help="play a game and write logs as Dopamine's logger does",
        description="Plays a game and writes logs as Dopamine's logger does.",
        epilog="Example: atari-replay record breakout --steps 5000 --capacity 1000 --out MY_LOGS",
    )
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
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    # Imported here, since only this command needs the emulator.
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
    if found is not None:  # there are names for five runs, and for 51 checkpoints
        print(
            f"Its last checkpoint as a dataset:\n  tfds build atari_replay/{found.name} "
            f"--imports=tfds_atari_replay --manual_dir={shlex.quote(str(args.out))}"
        )
    return 0


def _load_policy(path: str) -> Any:
    """Imports a policy; as for `python -m`, its module may be in the current folder."""
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
            raise  # the module is there, but not what it imports
        raise ValueError(
            f"{wanted}: no module {error.name!r} in {folder}, nor installed"
        ) from error
    finally:
        sys.path.remove(folder)
    if not hasattr(found, name):
        raise ValueError(f"{wanted}: {module} has no {name!r}")
    policy = getattr(found, name)
    if not callable(policy):
        raise ValueError(f"{wanted}: {module}.{name} is {policy!r}")
    return policy
