"""`atari-replay show`."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import cv2
import pytest
from helpers.datasets import DUMMY_DATA, build
from helpers.logs import Truth, make_episodes
from helpers.unplugged import write_unplugged

from tfds_atari_replay.cli.main import main
from tfds_atari_replay.fields import VERSION


def test_the_episodes_are_listed_and_the_best_is_drawn(
    data_dir: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "sub" / "episode.png"
    arguments = ["show", "breakout_expert_v0", f"--data_dir={data_dir}", f"--out={picture}"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "Breakout, run 1, checkpoint 50: 3 episodes, 1,493 steps" in out
    assert "         1    729     18              18  True" in out
    assert f"Drew episode 0 in {picture}" in out
    sheet: Any = cv2.imread(str(picture))
    assert sheet.shape == (862, 1416, 3)
    assert main([*arguments, "--episode=9"]) == 1
    assert "error: episode_id must be one with steps: 0, 1, 2 (got 9)" in capsys.readouterr().err


def test_a_whole_run(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its checkpoints and gaps are named."""
    build("breakout_full_v0", DUMMY_DATA, tmp_path)
    arguments = [f"--data_dir={tmp_path}", f"--out={tmp_path / 'episode.png'}"]
    assert main(["show", "breakout_full_v0", *arguments]) == 0
    out = capsys.readouterr().out
    assert "Breakout, run 1, checkpoints 0 to 50: 29 episodes, 6,724 steps" in out
    assert "Episodes are cut at the gaps before checkpoint 10, 49" in out
    assert "        17     23      0               0  False" in out


@pytest.mark.parametrize(
    "name",
    ["breakout_expert_v0", "atari_replay/breakout_expert_v0", f"breakout_expert_v0:{VERSION}"],
)
def test_a_name_may_have_the_builder_and_a_version(
    data_dir: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """For a version, TFDS makes a builder of its own."""
    arguments = [f"--data_dir={data_dir}", f"--out={tmp_path / 'episode.png'}"]
    assert main(["show", name, *arguments]) == 0
    assert "Breakout, run 1, checkpoint 50: 3 episodes, 1,493 steps" in capsys.readouterr().out


def test_episodes_without_steps(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal state alone, as a file of RL Unplugged may begin with, is listed and not drawn."""
    nothing, some = make_episodes([2, 5])
    nothing = Truth(nothing.frames[:0], nothing.action[:0], nothing.reward[:0])
    folder = tmp_path / "Breakout"
    write_unplugged(folder / "run_1-00001-of-00050", [nothing, some])
    write_unplugged(folder / "run_1-00010-of-00050", [nothing])
    for config in ("breakout_mixed_v0", "breakout_medium_v0"):
        build(config, tmp_path, tmp_path / "data")
    arguments = [f"--data_dir={tmp_path / 'data'}", f"--out={tmp_path / 'episode.png'}"]
    assert main(["show", "breakout_mixed_v0", *arguments]) == 0
    out = capsys.readouterr().out
    assert "         0      0      0               0  False\n         1      5" in out
    assert "Drew episode 1 in" in out
    assert main(["show", "breakout_mixed_v0", *arguments, "--episode=0"]) == 1
    assert "error: episode_id must be one with steps: 1 (got 0)" in capsys.readouterr().err
    assert main(["show", "breakout_medium_v0", *arguments]) == 1
    assert "error: episode_id must be one with steps: none (got None)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["breakout_expert_v0"], "holds no dataset. Build it first:"),
        (["breakout_expret_v0"], "Did you mean breakout_expert_v0"),
        (
            ["breakout_expert_v0", "--out=x.txt"],
            "error: --out must be the name of a PNG or JPEG picture, such as episode.png (got "
            "'x.txt')",
        ),
        (["breakout_expert_v0", "--out=x.pgm"], "(got 'x.pgm')"),
    ],
)
def test_bad_arguments(
    error_of: Callable[[list[str]], str], arguments: list[str], message: str
) -> None:
    assert message in error_of(["show", "--data_dir=x", *arguments])
