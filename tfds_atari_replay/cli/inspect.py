"""Says what a folder of logs holds, lacks and repeats.

The exit status is 1 if a checkpoint is damaged or lacks files, if a folder cannot be listed, or if
there are no logs.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Iterable, Sequence

import rich.console
import rich.table
import rich.text

from tfds_atari_replay.logs import inspection, layouts
from tfds_atari_replay.logs.files import Layout
from tfds_atari_replay.logs.inspection import Report

_COLUMNS = ("checkpoint", "capacity", "cursor", "steps", "episodes", "complete", "mean return")

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
    note = (
        "Every byte was read."
        if is_deep
        else "Frames were not read. --deep reads them, finds damage in them, and counts exactly "
        "what is marked ~ here (up to 3 steps at the beginning may be padding)."
    )
    count = f"{len(checkpoints)} checkpoint{'s' * (len(checkpoints) != 1)}"
    unlistable = len(reports) - len(checkpoints)
    unseen = (
        f" {unlistable} folder{'s' * (unlistable != 1)} cannot be listed." if unlistable else ""
    )
    damaged = bad - unlistable
    state = f"{damaged} of them damaged or with files missing" if damaged else "all complete"
    console.print(
        f"{count}, {state}.{unseen} {note}",
        style="red" if bad else "green",
        highlight=False,
    )


def _table(run: Sequence[Report], *, is_narrow: bool) -> rich.table.Table:
    some = run[0]
    # Rich would take brackets in a plain string for markup.
    layout = _layout(some).title
    title = rich.text.Text(f"{some.game} run {some.run}: {layout} in {_run_folder(some)}")
    table = rich.table.Table(title=title, title_justify="left")
    for name in _COLUMNS:
        if not (is_narrow and name in _LEFT_OUT):
            table.add_column(name, justify="right", no_wrap=True)
    table.add_column("remarks", ratio=1, min_width=16, overflow="fold")
    for report in run:
        numbers = zip(_COLUMNS, _numbers(report), strict=True)
        shown = [text for name, text in numbers if not (is_narrow and name in _LEFT_OUT)]
        table.add_row(*shown, rich.text.Text("; ").join(_remarks(report)))
    return table


def _run_folder(report: Report) -> str:
    return _layout(report).run_folder(report.folder)


def _layout(report: Report) -> Layout:
    assert report.layout  # only folders that cannot be listed have none
    return layouts.find_layout(report.layout)


def _numbers(report: Report) -> Iterable[str]:
    about = "" if report.steps_are_exact else "~"
    yield str(report.checkpoint)
    for value in (report.capacity, report.cursor):
        yield _number(value)
    for value in (report.steps, report.episodes, report.complete_episodes):
        yield _number(value, about)
    yield "-" if report.mean_return is None else f"{about}{report.mean_return:.2f}"


def _number(value: int | None, about: str = "") -> str:
    return "-" if value is None else f"{about}{value:,}"


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
        laps = f"{report.unwritten_laps} lap{'s' * (report.unwritten_laps > 1)}"
        remarks.append((f"{laps} before it never written", "yellow"))
    if report.repeated_rows:
        rows = f"{report.repeated_rows:,} of its rows"
        before = (report.checkpoint or 0) - 1
        remarks.append((f"last dump: {rows} are in {before} too", "dim"))
    if report.cursor_is_assumed:
        remarks.append(("no add_count: cursor assumed", "yellow"))
    return [rich.text.Text(text, style) for text, style in remarks]
