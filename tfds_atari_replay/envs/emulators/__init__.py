"""Emulators, one per file; all play by the protocol of the logs."""

from __future__ import annotations

import importlib

from tfds_atari_replay._extras import required_for
from tfds_atari_replay.arguments import check_choice
from tfds_atari_replay.envs.emulators.emulator import Emulator, Games

EMULATORS = ("ale_py", "atari_py")
"""Names of emulators. Each is a module here, whose `EMULATOR` is a subclass of `Emulator`."""

__all__ = ["EMULATORS", "Emulator", "Games", "find_emulator"]


def find_emulator(name: str) -> type[Emulator]:
    """Returns an emulator by name.

    Args:
      name: one of EMULATORS.

    Raises:
      TypeError: the name is not a string.
      ValueError: unknown name.
      ImportError: the emulator is not installed.
    """
    check_choice("emulator", name, EMULATORS)
    with required_for("The environment", "envs"):
        emulator: type[Emulator] = importlib.import_module(f"{__name__}.{name}").EMULATOR
    emulator.check()
    return emulator
