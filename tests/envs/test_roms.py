"""Games are played on the chosen ROM; a warning says if it is not the one of the logs."""

from __future__ import annotations

import importlib.util
import pathlib
import shutil

import ale_py.roms
import pytest
from helpers.datasets import ROOT

from tfds_atari_replay import GAMES, make_env
from tfds_atari_replay.envs import roms as roms_lib


def hide_atari_py(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes atari-py look as if it were not installed."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "atari_py" else find_spec(name)
    )
    monkeypatch.delenv(roms_lib.ROMS_VARIABLE, raising=False)
    monkeypatch.setattr(roms_lib, "_warned", set())


def test_without_atari_py(monkeypatch: pytest.MonkeyPatch) -> None:
    """'auto' warns once if the ROM differs, and by how much; 'legacy' says what to do."""
    hide_atari_py(monkeypatch)
    with pytest.warns(
        UserWarning, match=r"Amidar .* \(observations differ by 12\.1 of 255"
    ) as all_:
        make_env("amidar")
    assert len(all_) == 1
    assert "\n" not in str(all_[0].message)
    make_env("amidar")  # once; a second one would be an error here
    make_env("breakout")  # the same ROM
    where = r"docs/environments\.md, 'ROMs',"
    with pytest.raises(
        FileNotFoundError, match=rf"No legacy ROM of Pong\..*pip install atari-py==0.*{where}"
    ):
        make_env("pong", roms="legacy")
    # Where the message sends people.
    _, section = (ROOT / "docs" / "environments.md").read_text().split("\n## ROMs\n")
    assert f"export {roms_lib.ROMS_VARIABLE}=" in section.partition("\n## ")[0]


def test_roms_from_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """The variable names the folder; a wrong file is refused, with both md5s."""
    legacy = roms_lib.find_rom(GAMES["Amidar"], "legacy")
    hide_atari_py(monkeypatch)
    monkeypatch.setenv(roms_lib.ROMS_VARIABLE, str(tmp_path))
    shutil.copy(legacy, tmp_path)
    assert roms_lib.find_rom(GAMES["Amidar"]) == tmp_path / "amidar.bin"
    new = ale_py.roms.get_rom_path("amidar")
    assert new
    shutil.copy(new, tmp_path / "amidar.bin")
    game = GAMES["Amidar"]
    for roms in ("auto", "legacy"):
        with pytest.raises(ValueError, match=f"expected md5 {game.legacy_md5}, got {game.ale_md5}"):
            make_env("amidar", roms=roms)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_all_legacy_roms_play() -> None:
    """Each of the 60 loads in ale-py."""
    for game in GAMES.values():
        for roms in ("legacy", "ale"):
            env = make_env(game.name, roms=roms, render_mode="rgb_array")
            env.reset(seed=1)
            screen = env.render()
            assert screen is not None
            assert screen.shape[1:] == (160, 3), (game.name, roms)
