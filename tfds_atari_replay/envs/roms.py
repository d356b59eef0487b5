"""Finds the ROM file on which a game is played."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pathlib
import warnings

from tfds_atari_replay.arguments import check_choice
from tfds_atari_replay.games import Game

ROMS_VARIABLE = "ATARI_REPLAY_ROMS"

CHOICES = ("auto", "legacy", "ale")

_ATARI_PY = "atari-py==0.2.5"

_warned: set[str] = set()


def find_rom(game: Game, roms: str = "auto") -> pathlib.Path:
    """Finds a game's ROM and checks that it is the right one.

    Args:
      game: the game.
      roms: 'legacy' for atari-py 0.2.5's ROM, on which the logs were recorded, from the folder
        `$ATARI_REPLAY_ROMS` or the installed atari_py; 'ale' for ale-py's; 'auto' for the legacy
        ROM if it is found, else ale-py's, with one warning per game if the two differ.

    Raises:
      TypeError: `roms` is not a string.
      ValueError: `roms` is none of these, or the file has the wrong md5.
      FileNotFoundError: `roms` is 'legacy' and no legacy ROM is found.
    """
    check_choice("roms", roms, CHOICES)
    if roms == "ale":
        return _ale_rom(game)
    paths = _legacy_paths(game)
    for path in paths:
        if path.exists():
            return _checked(path, game, game.legacy_md5, f"the ROM of {_ATARI_PY}")
    if roms == "legacy":
        raise FileNotFoundError(
            f"No legacy ROM of {game.name}. Looked for: "
            f"{', '.join(map(str, paths)) or 'nothing'}. Set ${ROMS_VARIABLE} to a folder with "
            f"{game.rom}.bin, or run: pip install {_ATARI_PY}. docs/environments.md, "
            "'ROMs', has two commands that get the files without building anything."
        )
    _warn(game)
    return _ale_rom(game)


def _legacy_paths(game: Game) -> list[pathlib.Path]:
    folders = []
    if folder := os.environ.get(ROMS_VARIABLE):
        folders.append(pathlib.Path(folder))
    # Found without importing it, which takes a second.
    if (spec := importlib.util.find_spec("atari_py")) and spec.origin:
        folders.append(pathlib.Path(spec.origin).parent / "atari_roms")
    return [folder / f"{game.rom}.bin" for folder in folders]


def _ale_rom(game: Game) -> pathlib.Path:
    import ale_py.roms  # here, because legacy ROMs do not need ale-py

    path = ale_py.roms.get_rom_path(game.rom)
    if path is None:
        raise FileNotFoundError(f"ale-py has no ROM of {game.name} ({game.rom}.bin).")
    return _checked(pathlib.Path(path), game, game.ale_md5, "ale-py's ROM")


def _checked(path: pathlib.Path, game: Game, md5: str, what: str) -> pathlib.Path:
    got = hashlib.md5(path.read_bytes()).hexdigest()
    if got != md5:
        raise ValueError(
            f"{path} is not {what} of {game.name}: expected md5 {md5}, got {got}. "
            "Replace the file, or choose other ROMs."
        )
    return path


def _warn(game: Game) -> None:
    if game.legacy_md5 == game.ale_md5 or game.name in _warned:
        return
    _warned.add(game.name)
    warnings.warn(
        f"{game.name} is played on ale-py's ROM, but the logs were recorded on a different one "
        f"(observations differ by {game.grey_difference:.1f} of 255 grey levels on average). To "
        f"play on theirs, set ${ROMS_VARIABLE} or run: pip install {_ATARI_PY}",
        stacklevel=2,
    )
