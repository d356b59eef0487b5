"""`atari-replay record`."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from helpers.datasets import TFDS
from helpers.logs import read_gz

from tfds_atari_replay.cli.main import main


def test_logs_are_written_where_it_says(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["record", "space-invaders", "--steps=50", "--capacity=30", f"--out={tmp_path}"]
    assert main([*arguments, "--run=3"]) == 0
    out, err = capsys.readouterr()
    logs = tmp_path / "SpaceInvaders" / "3" / "replay_logs"
    assert out == (
        f"Wrote {logs}\nIts last checkpoint as a dataset:\n  tfds build "
        "atari_replay/space_invaders_epoch_1_v2 --imports=tfds_atari_replay "
        f"--manual_dir={tmp_path}\n"
    )
    assert not err  # no bar, where nobody looks
    assert {path.name for path in logs.glob("add_count*")} == {
        "add_count_ckpt.0.gz",
        "add_count_ckpt.1.gz",
    }


def test_a_run_without_configs(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Configs are named for runs 1 to 5, so none is suggested for the sixth."""
    arguments = ["record", "pong", "--steps=5", "--capacity=30", f"--out={tmp_path}"]
    assert main([*arguments, "--run=6"]) == 0
    assert capsys.readouterr().out == f"Wrote {tmp_path / 'Pong' / '6' / 'replay_logs'}\n"


def test_a_policy(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found in the user's folder, which does not stay on the path."""
    (tmp_path / "my_policy.py").write_text("def left(observations):\n    return [3]\n")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    arguments = ["record", "breakout", "--steps=20", "--capacity=30", "--out=logs"]
    assert main([*arguments, "--policy=my_policy:left"]) == 0
    assert sys.path == path
    action = read_gz(next(pathlib.Path("logs").rglob("*action*")))
    np.testing.assert_array_equal(action[:23], [0, 0, 0] + [3] * 20)


@pytest.mark.slow
def test_a_policy_from_the_console(tmp_path: pathlib.Path) -> None:
    """A console script does not look for modules in the current folder by itself."""
    (tmp_path / "my_policy.py").write_text("def act(observations):\n    return [3]\n")
    command = [str(TFDS.with_name("atari-replay")), "record", "breakout", "--steps=20"]
    options = ["--capacity=30", "--out=logs", "--policy=my_policy:act"]
    subprocess.run([*command, *options], cwd=tmp_path, check=True)
    action = read_gz(next((tmp_path / "logs").rglob("*action*")))
    np.testing.assert_array_equal(action[:23], [0, 0, 0] + [3] * 20)


WANTED = "error: --policy must be MODULE:NAME of a callable (got '{}')"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("their_policy", f"{WANTED}\n"),
        (":act", f"{WANTED}\n"),
        (".their_policy:act", f"{WANTED}\n"),
        ("nowhere:act", f"{WANTED}: no module 'nowhere' in /"),
        ("their_policy.sub:act", f"{WANTED}: no module 'their_policy.sub' in /"),
        ("their_policy:walk", f"{WANTED}: their_policy has no 'walk'\n"),
        ("their_policy:LEFT", f"{WANTED}: their_policy.LEFT is 3\n"),
        ("needs_more:act", "error: No module named 'what_it_needs'\n"),
    ],
)
def test_a_policy_that_cannot_be_loaded(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    error_of: Callable[[list[str]], str],
    policy: str,
    message: str,
) -> None:
    (tmp_path / "their_policy.py").write_text("LEFT = 3\n")
    (tmp_path / "needs_more.py").write_text("import what_it_needs\n")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("their_policy", "needs_more"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    error = error_of(["record", "breakout", "--steps=20", "--out=logs", f"--policy={policy}"])
    assert error.startswith(message.format(policy))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pongg", "--steps=1"], "Unknown game 'pongg'. Did you mean 'Pong'?"),
        (["pong", "--steps=0"], "steps must be a whole number, at least 1 (got 0)"),
        (
            ["pong", "--steps=1", "--run=0"],
            "run must be a whole number, at least 1 and below 2,147,483,649 (got 0)",
        ),
        (
            ["pong", "--steps=1", "--capacity=1000000000"],
            "capacity must fit into memory: 1,000,000,000 rows of 7,065 bytes are 7,065.0",
        ),
    ],
)
def test_bad_arguments(
    error_of: Callable[[list[str]], str], arguments: list[str], message: str
) -> None:
    assert error_of(["record", *arguments, "--out=x"]).startswith(f"error: {message}")
