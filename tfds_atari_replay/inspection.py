"""What is this folder? What each checkpoint in it holds, lacks and repeats."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Sequence

import numpy as np
import rich.console
import rich.table
import rich.text
import tqdm
from etils import epath

from tfds_atari_replay import episodes, layouts, replay_logs, unplugged
from tfds_atari_replay.replay_logs import CheckpointFiles, ReplayLogError
from tfds_atari_replay.threads import map_ahead

_LAYOUTS = {
    "dopamine": "Dopamine's logs",
    "d4rl_atari": "d4rl-atari's cache",
    "rl_unplugged": "RL Unplugged",
}


@dataclasses.dataclass
class Report:
    """What a checkpoint holds. What its layout does not say, or was not read, is None.

    Attributes:
      game: as in `GAMES`.
      run: its number.
      checkpoint: its number.
      layout: `dopamine`, `d4rl_atari` or `rl_unplugged`.
      folder: where its files are.
      capacity: rows in the ring.
      cursor: the row that would have been written next.
      cursor_is_assumed: whether there is no add_count, which tells.
      steps: how many were logged, padding left out.
      steps_are_exact: whether they are, and what is said of episodes. Up to three rows at the
        beginning may be padding, which their frames tell; unread, they are taken for it.
      episodes: how many there are, pieces included.
      complete_episodes: how many of them go from a reset to a terminal.
      mean_return: of the complete ones, of clipped rewards; None if there are none.
      missing_files: of those that a checkpoint needs.
      damage: what is wrong with a file.
      missing_before: numbers of checkpoints that are not here, between the one before and this.
      unwritten_laps: how many laps the logger never wrote, between the one before and this.
      repeated_rows: how many of a last dump's rows are in the checkpoint before it too.
    """

    game: str
    run: int
    checkpoint: int
    layout: str
    folder: str
    capacity: int | None = None
    cursor: int | None = None
    cursor_is_assumed: bool = False
    steps: int | None = None
    steps_are_exact: bool = False
    episodes: int | None = None
    complete_episodes: int | None = None
    mean_return: float | None = None
    missing_files: list[str] = dataclasses.field(default_factory=list)
    damage: str | None = None
    missing_before: list[int] = dataclasses.field(default_factory=list)
    unwritten_laps: int | None = None
    repeated_rows: int | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a dataset can be built from it, as far as was read."""
        return not self.missing_files and self.damage is None


def inspect(path: epath.PathLike, *, deep: bool = False) -> list[Report]:
    """Looks at all checkpoints under a folder, on all cores.

    Args:
      path: a folder laid out as `layouts.LAYOUTS` says, or one within such a folder.
      deep: whether to read every byte of what a build reads, so that gzip's checksums are compared
        and steps are counted exactly. Else of the frames the header is read, and of RL Unplugged's
        files the first episode.

    Returns:
      A report for each checkpoint, by game, run, layout and number.

    Raises:
      FileNotFoundError: there are none.
    """
    found = _find(path)
    looks = map_ahead(lambda files: _look_at(files, deep), found)
    bar = tqdm.tqdm(looks, total=len(found), desc="Inspecting", unit=" checkpoint", disable=None)
    looked = list(zip(found, bar, strict=True))
    for _, run in itertools.groupby(looked, lambda look: _run_of(look[0])):
        _compare(list(run))
    return [report for _, (report, _) in looked]


def _find(path: epath.PathLike) -> list[CheckpointFiles]:
    path = layouts.open_path(path)
    paths = [path]
    if "://" not in os.fspath(path):
        # A link to a run's folder has the run's name only where it leads.
        paths = [epath.Path(os.path.abspath(path)), epath.Path(os.path.realpath(path))]
    for path in paths:
        # It may be the folder of a game, a run or its replay_logs.
        for root in (path, *list(path.parents)[:3]):
            found = [
                files
                for files in layouts.list_checkpoints(root)
                if files.folder.is_relative_to(path)
            ]
            if found:
                return found
    raise FileNotFoundError(
        f"No replay logs in {path} ({layouts.contents(path)}). Expected, in it or around it:\n"
        f"{layouts.LAYOUTS}"
    )


def _run_of(files: CheckpointFiles) -> tuple[str, int, str]:
    return files.game.name, files.run, files.layout


def _look_at(files: CheckpointFiles, deep: bool) -> tuple[Report, int | None]:
    """The report, as far as one checkpoint goes, and its add_count."""
    report = Report(files.game.name, files.run, files.number, files.layout, os.fspath(files.folder))
    report.missing_files = files.missing
    add_count = None
    try:
        if files.layout == "rl_unplugged":
            _read_unplugged(files, report, deep)
        elif not files.missing:
            add_count = _read_log(files, report, deep)
    except ReplayLogError as error:
        report.damage = str(error).removeprefix(f"{files}: ").removesuffix(f" {files.if_damaged}")
    return report, add_count


def _read_unplugged(files: CheckpointFiles, report: Report, deep: bool) -> None:
    found = unplugged.read_episodes(files)
    if not deep:
        next(found)
        return
    summaries = [(len(e.action), float(e.reward.sum()), e.is_complete) for e in found]
    _summarise(report, summaries, is_exact=True)


def _read_log(files: CheckpointFiles, report: Report, deep: bool) -> int | None:
    checkpoint = replay_logs.open_checkpoint(files)
    report.capacity, report.cursor = checkpoint.capacity, checkpoint.cursor
    report.cursor_is_assumed = checkpoint.add_count is None
    # What may be padding is taken for it at first, and noted.
    asked: list[int] = []

    def note(place: int) -> bool:
        asked.append(place)
        return True

    spans = list(episodes.find_spans(checkpoint, note))
    is_exact = not asked or asked[0] > 0
    if deep:
        row_of = episodes.in_time_order(checkpoint, np.arange(checkpoint.capacity))
        rows = np.zeros(checkpoint.capacity, np.bool_)
        rows[row_of[asked]] = True
        black = replay_logs.find_black_frames(checkpoint, rows)
        spans = list(episodes.find_spans(checkpoint, lambda place: bool(black[row_of[place]])))
        is_exact = True
    returns = np.concatenate(
        [[0.0], episodes.in_time_order(checkpoint, checkpoint.reward).cumsum()]
    )
    _summarise(
        report,
        [
            (
                span.stop - span.start,
                float(returns[span.stop] - returns[span.start]),
                span.starts_at_reset and span.ends_in_terminal,
            )
            for span in spans
        ],
        is_exact,
    )
    return checkpoint.add_count


def _summarise(
    report: Report, summaries: Sequence[tuple[int, float, bool]], is_exact: bool
) -> None:
    """Sums up episodes, given by length, return and whether they are complete."""
    complete = [score for _, score, is_complete in summaries if is_complete]
    report.steps = sum(length for length, _, _ in summaries)
    report.steps_are_exact = is_exact
    report.episodes = len(summaries)
    report.complete_episodes = len(complete)
    report.mean_return = float(np.mean(complete)) if complete else None


def _compare(run: Sequence[tuple[CheckpointFiles, tuple[Report, int | None]]]) -> None:
    """Completes the reports of a run by what can be seen beside the checkpoint before."""
    before: tuple[CheckpointFiles, Report] | None = None
    ahead = 0
    for files, (report, add_count) in run:
        if before is not None:
            report.missing_before = list(range(before[0].number + 1, files.number))
        if add_count is not None and _is_last_dump(report, add_count):
            if before is not None and before[1].is_usable and not report.missing_before:
                report.repeated_rows = _count_repeated(before[0], files)
        elif add_count is not None:
            laps = _laps_ahead(report, add_count)
            report.unwritten_laps, ahead = laps - ahead, laps
        before = files, report


def _count_repeated(before: CheckpointFiles, last: CheckpointFiles) -> int | None:
    try:
        return episodes.count_repeated(
            replay_logs.open_checkpoint(before), replay_logs.open_checkpoint(last)
        )
    except ReplayLogError:  # They were whole a moment ago: somebody writes there.
        return None


def _is_last_dump(report: Report, add_count: int) -> bool:
    # It holds only the cursor.
    return report.checkpoint > 0 and add_count < (report.capacity or 0)


def _laps_ahead(report: Report, add_count: int) -> int:
    """How many of the laps before this dump's were never written."""
    return max(add_count // (report.capacity or 1) - report.checkpoint, 0)


def print_tables(reports: Sequence[Report], *, deep: bool) -> None:
    """Prints a table for each run, for people."""
    # Not narrower than it takes to read, if no terminal says how wide it may be.
    console = rich.console.Console()
    if not console.is_terminal:
        console = rich.console.Console(width=140)
    for (game, run, layout, folder), group in itertools.groupby(
        reports, lambda r: (r.game, r.run, r.layout, _run_folder(r))
    ):
        # As text, since rich reads brackets in a string as its markup.
        title = rich.text.Text(f"{game} run {run}: {_LAYOUTS[layout]} in {folder}")
        table = rich.table.Table(title=title, title_justify="left")
        for name in ("checkpoint", "capacity", "cursor", "steps", "episodes", "complete"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("mean return", justify="right", no_wrap=True)
        table.add_column("remarks", ratio=1)
        for report in group:
            about = "" if report.steps_are_exact else "~"
            table.add_row(
                str(report.checkpoint),
                *(_number(value) for value in (report.capacity, report.cursor)),
                *(
                    _number(value, about)
                    for value in (report.steps, report.episodes, report.complete_episodes)
                ),
                "-" if report.mean_return is None else f"{about}{report.mean_return:.2f}",
                rich.text.Text("; ").join(_remarks(report)),
            )
        console.print(table)
    bad = sum(not report.is_usable for report in reports)
    count = f"{len(reports)} checkpoint{'s' * (len(reports) != 1)}"
    console.print(
        f"{count}, {bad} of them damaged or with files missing. "
        + (
            "Every byte was read."
            if deep
            else "Frames were not read: --deep does, finds damage in them, and counts exactly what "
            "is marked ~ here (up to 3 steps at the beginning may be padding)."
        ),
        style="red" if bad else "green",
        highlight=False,
    )


def _run_folder(report: Report) -> str:
    # d4rl-atari's cache has a folder for each checkpoint.
    is_below = report.layout == "d4rl_atari"
    return os.path.dirname(report.folder) if is_below else report.folder


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
