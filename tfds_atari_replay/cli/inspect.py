"""Says what a folder of logs holds, lacks and repeats.

The exit status is 1 if a checkpoint is damaged or lacks files, if a folder cannot be listed, or if
there are no logs.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Sequence

import rich.console
import rich.table
import rich.text

from tfds_atari_replay.logs import inspection, layouts
from tfds_atari_replay.logs.files import Layout
from tfds_atari_replay.logs.inspection import Report

# Terminals with fewer columns have no room for these.
_NARROW = 110
_LEFT_OUT = ("capacity", "cursor")


EXAMPLE = "dummy_data --deep"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("path", help="folder, or gs://...")
    parser.add_argument(
        "--deep", action="store_true", help="read every byte: find damage, count steps exactly"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """Runs the command."""
    reports = inspection.inspect(args.path, deep=args.deep)
    bad = sum(not report.is_usable for report in reports)
    if args.json:
        checkpoints = [dataclasses.asdict(report) for report in reports]
        print(json.dumps({"is_usable": not bad, "checkpoints": checkpoints}, indent=2))
    else:
        _print(reports, bad, is_deep=args.deep)
    return min(bad, 1)


def _print(reports: Sequence[Report], bad: int, *, is_deep: bool) -> None:
    console = rich.console.Console()
    if not console.is_terminal:
        # A file has no width, for which rich takes 80 columns.
        console = rich.console.Console(width=140)
    checkpoints = [report for report in reports if report.layout is not None]
    for _, run in itertools.groupby(
        checkpoints, lambda r: (r.game, r.run, r.layout, _run_folder(r))
    ):
        console.print(_table(list(run), is_narrow=console.width < _NARROW))
    for report in reports:
        if report.layout is None:
            console.print(f"{report.folder} {report.damage}", style="red", markup=False)
    unlistable = len(reports) - len(checkpoints)
    damaged = bad - unlistable
    state = f"{damaged} of them damaged or with files missing" if damaged else "all complete"
    unseen = f" {_count(unlistable, 'folder')} cannot be listed." if unlistable else ""
    note = (
        "Every byte was read."
        if is_deep
        else "Frames were not read. --deep reads them, finds damage in them, and counts exactly "
        "what is marked ~ here (up to 3 steps at the beginning may be padding)."
    )
    console.print(
        f"{_count(len(checkpoints), 'checkpoint')}, {state}.{unseen} {note}",
        style="red" if bad else "green",
        highlight=False,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _table(run: Sequence[Report], *, is_narrow: bool) -> rich.table.Table:
    some = run[0]
    # Rich would take brackets in a plain string for markup.
    layout = _layout(some).title
    title = rich.text.Text(f"{some.game} run {some.run}: {layout} in {_run_folder(some)}")
    table = rich.table.Table(title=title, title_justify="left")
    columns = [name for name in _cells(some) if not (is_narrow and name in _LEFT_OUT)]
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("remarks", ratio=1, min_width=16, overflow="fold")
    for report in run:
        cells = _cells(report)
        remarks = rich.text.Text("; ").join(_remarks(report))
        table.add_row(*(cells[name] for name in columns), remarks)
    return table


def _run_folder(report: Report) -> str:
    return _layout(report).run_folder(report.folder)


def _layout(report: Report) -> Layout:
    assert report.layout  # only folders that cannot be listed have none
    return layouts.find_layout(report.layout)


def _cells(report: Report) -> dict[str, str]:
    """Returns the numbers of a report by their column."""
    about = "" if report.steps_are_exact else "~"
    return {
        "checkpoint": str(report.checkpoint),
        "capacity": _number(report.capacity),
        "cursor": _number(report.cursor),
        "steps": _number(report.steps, about),
        "episodes": _number(report.episodes, about),
        "complete": _number(report.complete_episodes, about),
        "mean return": _number(report.mean_return, about, ".2f"),
    }


def _number(value: float | None, about: str = "", spec: str = ",") -> str:
    return "-" if value is None else f"{about}{value:{spec}}"


def _remarks(report: Report) -> list[rich.text.Text]:
    remarks = []
    if report.missing_files:
        remarks.append((f"no file for {', '.join(report.missing_files)}", "red"))
    if report.damage:
        remarks.append((report.damage.replace(f"{report.folder}/", ""), "red"))
    if report.missing_before:
        first, last = report.missing_before[0], report.missing_before[-1]
        numbers = f"{first} to {last}" if last > first else f"{first}"
        remarks.append((f"{numbers} not here", "yellow"))
    if report.unwritten_laps:
        laps = _count(report.unwritten_laps, "lap")
        remarks.append((f"{laps} before it never written", "yellow"))
    if report.repeated_rows:
        rows = f"{report.repeated_rows:,} of its rows"
        before = (report.checkpoint or 0) - 1
        remarks.append((f"last dump: {rows} are in {before} too", "dim"))
    if report.cursor_is_assumed:
        remarks.append(("no add_count: cursor assumed", "yellow"))
    return [rich.text.Text(text, style) for text, style in remarks]
