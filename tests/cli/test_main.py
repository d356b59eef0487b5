"""The command line, as typed."""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from helpers.datasets import DUMMY_DATA

import tfds_atari_replay
from tfds_atari_replay.cli.main import COMMANDS, main, make_parser
from tfds_atari_replay.logs import inspection


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert "usage: atari-replay [-h] [--version] COMMAND" in out
    assert not err


def test_the_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with the first line of its own help."""
    main([])
    shown = " ".join(capsys.readouterr().out.split())
    for name, command in COMMANDS.items():
        assert f"{name} {(command.__doc__ or '').splitlines()[0]}" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_an_example_that_parses(name: str) -> None:
    """At the end of its help."""
    actions = make_parser()._actions
    (commands,) = (a for a in actions if isinstance(a, argparse._SubParsersAction))
    help_text = " ".join(commands.choices[name].format_help().split())
    before, example = help_text.split(f"Example: atari-replay {name} ")
    assert before
    assert make_parser().parse_args([name, *example.split()]).run


def test_examples_stay_on_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """However narrow the terminal, so that they can be copied."""
    monkeypatch.setenv("COLUMNS", "40")
    with pytest.raises(SystemExit):
        main(["show", "-h"])
    *_, last = capsys.readouterr().out.splitlines()
    assert last == ("Example: atari-replay show breakout_expert_v0 --data_dir=quickstart/data")


def test_an_unknown_command_is_answered_with_one_like_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["shw"])
    assert "invalid choice: 'shw' (choose from" in (err := capsys.readouterr().err)
    assert err.endswith("Did you mean 'show'?\n")


def test_an_error_is_one_line(error_of: Callable[[list[str]], str]) -> None:
    """It has no traceback."""
    error = error_of(["show", "x"])
    assert error.startswith("error: Unknown config 'x' of atari_replay.")
    assert error.count("\n") == 1


def test_an_interrupt_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its status is the one that shells give it."""

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(inspection, "inspect", interrupted)
    assert main(["inspect", str(DUMMY_DATA)]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_output_that_is_not_read_to_its_end(data_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """`atari-replay ... | head` ends without a message."""
    reading, writing = os.pipe()
    os.close(reading)
    command = ["show", "breakout_expert_v0", f"--data_dir={data_dir}"]
    result = subprocess.run(
        [sys.executable, "-m", "tfds_atari_replay", *command, f"--out={tmp_path}/episode.png"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (141, "")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"{tfds_atari_replay.__version__}\n"
