"""`atari-replay inspect`. What it finds is tested in tests/logs/test_inspection.py."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from collections.abc import Callable

import pytest
from helpers.damage import damaged_copy
from helpers.datasets import DUMMY_DATA
from helpers.logs import copy_to_cache, log_folder, make_episodes, write_log

from tfds_atari_replay.cli.main import main
from tfds_atari_replay.logs.inspection import inspect


def test_logs_without_damage(capsys: pytest.CaptureFixture[str]) -> None:
    """A table for each run; what may be missing or repeated stands in the remarks."""
    assert main(["inspect", str(DUMMY_DATA)]) == 0
    shown = capsys.readouterr().out
    assert "Breakout run 1: Dopamine's logs in" in shown
    assert "last dump: 689 of its rows are in 49 too" in shown
    assert "1 lap before it never written" in shown
    assert "2 to 9 not here" in shown
    assert "10 checkpoints, all complete." in shown
    assert "~1,474" in shown


def test_damaged_logs(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 1. Once every byte was read, all numbers are exact."""
    root = damaged_copy(tmp_path)
    assert main(["inspect", str(root), "--deep"]) == 1
    shown = capsys.readouterr().out
    assert "no file for action" in shown
    assert "no file for add_count" in shown
    assert "7 checkpoints, 6 of them damaged or with files missing. Every byte was read." in shown
    assert "~" not in shown
    assert f"in {root}/Breakout/1/replay_logs" in shown.replace("\n", "")
    assert f"{root}/Breakout/1/replay_logs/$" not in shown


def test_json_holds_the_reports(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of their fields, and whether everything can be used."""
    for root, is_usable in ((DUMMY_DATA, True), (damaged_copy(tmp_path), False)):
        assert main(["inspect", str(root), "--deep", "--json"]) == (0 if is_usable else 1)
        reports = [dataclasses.asdict(report) for report in inspect(root, deep=True)]
        expected = {"is_usable": is_usable, "checkpoints": json.loads(json.dumps(reports))}
        assert json.loads(capsys.readouterr().out) == expected
    assert [report["damage"] is None for report in reports] == [False] * 3 + [
        True,
        True,
        False,
        True,
    ]
    assert reports[4]["missing_files"] == ("add_count",)


def test_a_cached_run_is_one_table(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """d4rl-atari's cache has a folder for each checkpoint; the run's folder is its title."""
    write_log(log_folder(tmp_path / "logs"), 22, make_episodes([17, 80]))
    run = tmp_path / "cache" / "Breakout" / "1"
    for number in (0, 1):
        copy_to_cache(log_folder(tmp_path / "logs"), run, number)
    assert main(["inspect", str(tmp_path / "cache")]) == 0
    out = "".join(capsys.readouterr().out.splitlines())
    assert out.count("Breakout run 1: d4rl-atari's cache in") == 1
    assert out.count(str(run)) == 1
    assert f"{run}/" not in out
    assert "no add_count: cursor assumed" in out


@pytest.mark.parametrize("columns", [80, 109, 110, 140])
def test_remarks_are_legible_in_terminals(
    tmp_path: pathlib.Path,
    columns: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They are what the command is for; wide columns give way in narrow terminals."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's word for a terminal
    root = damaged_copy(tmp_path)
    assert main(["inspect", str(root)]) == 1
    shown = re.sub("\x1b.*?m", "", capsys.readouterr().out)
    assert max(map(len, shown.splitlines())) <= columns
    cells = [line.split("│") for line in shown.splitlines() if line.startswith("│")]
    remarks = "".join(row[-2].strip() for row in cells).replace(" ", "")
    assert "nofileforaction" in remarks
    assert "11to48nothere" in remarks
    assert ("cursor" in shown) == (columns >= 110)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("empty", r"No replay logs in .*empty \(is empty\)"),
        ("nothing", r"nothing \(does not exist\)\. Expected, in it or around it"),
        ("empty/file", r"file \(is not a folder\)"),
        ("http://host/logs", r"Cannot list http://host/logs"),
    ],
)
def test_what_is_no_folder_of_logs(
    tmp_path: pathlib.Path, error_of: Callable[[list[str]], str], path: str, message: str
) -> None:
    """The error says what is there instead, and what was expected."""
    (tmp_path / "empty").mkdir()
    if "file" in path:
        (tmp_path / path).touch()
    assert re.search(message, error_of(["inspect", path]))
