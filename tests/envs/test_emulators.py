"""Emulators are found by name."""

from __future__ import annotations

from typing import Any

import pytest

from tfds_atari_replay.envs.emulators import EMULATORS, find_emulator
from tfds_atari_replay.envs.emulators.ale_py import AlePy
from tfds_atari_replay.envs.emulators.atari_py import AtariPy


def test_each_name_is_an_emulator() -> None:
    assert {name: find_emulator(name) for name in EMULATORS} == {
        "ale_py": AlePy,
        "atari_py": AtariPy,
    }


@pytest.mark.parametrize(("name", "error"), [("stella", ValueError), (None, TypeError)])
def test_other_names_are_refused(name: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"emulator must be 'ale_py' or 'atari_py' \(got {name!r}\)"):
        find_emulator(name)
