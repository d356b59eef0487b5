"""`inspect`: what a folder of logs holds, lacks and repeats."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any

import rich.console
import rich.table
import rich.text

from tfds_atari_replay.logs import inspection, layouts
from tfds_atari_replay.logs.inspection import Report

_LAYOUTS = {layout.name: layout for layout in layouts.LAYOUTS}


def add_parser(commands: Any) -> None:
    """Adds the command to those of the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "inspect",
        help="say what a folder of logs holds, lacks and repeats",
        description="Says what a folder of logs holds, lacks and repeats. The exit status is 1 if "
        "a checkpoint is damaged or lacks files, or if there is none.",
    )
    parser.add_argument("path", help="folder, or gs://...")
    parser.add_argument(
        "--deep", action="store_true", help="read every byte: find damage, count steps exactly"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
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
        # A file has no width; rich would take 80 columns.
        console = rich.console.Console(width=140)
    for _, run in itertools.groupby(reports, lambda r: (r.game, r.run, r.layout, _run_folder(r))):
        console.print(_table(list(run)))
    note = (
        "Every byte was read."
        if is_deep
        else "Frames were not read. --deep reads them, finds damage in them, and counts exactly "
        "what is marked ~ here (up to 3 steps at the beginning may be padding)."
    )
    count = f"{len(reports)} checkpoint{'s' * (len(reports) != 1)}"
    console.print(
        f"{count}, {bad} of them damaged or with files missing. {note}",
        style="red" if bad else "green",
        highlight=False,
    )


def _table(run: Sequence[Report]) -> rich.table.Table:
    some = run[0]
    # As rich's own text: in a string it would take brackets for markup.
    title = rich.text.Text(
        f"{some.game} run {some.run}: {_LAYOUTS[some.layout].title} in {_run_folder(some)}"
    )
    table = rich.table.Table(title=title, title_justify="left")
    for name in (
        *("checkpoint", "capacity", "cursor", "steps", "episodes", "complete"),
        "mean return",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("remarks", ratio=1)
    for report in run:
        table.add_row(*_numbers(report), rich.text.Text("; ").join(_remarks(report)))
    return table


def _run_folder(report: Report) -> str:
    return _LAYOUTS[report.layout].run_folder(report.folder)


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
        remarks.append((f"last dump: {rows} are in {report.checkpoint - 1} too", "dim"))
    if report.cursor_is_assumed:
        remarks.append(("no add_count: cursor assumed", "yellow"))
    return [rich.text.Text(text, style) for text, style in remarks]
