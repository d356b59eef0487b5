"""Reports which checkpoints a folder of logs has, and what is missing, damaged or repeated."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np
from etils import epath

from tfds_atari_replay import progress
from tfds_atari_replay.logs import layouts, paths
from tfds_atari_replay.logs.errors import ReplayLogError
from tfds_atari_replay.logs.files import CheckpointFiles
from tfds_atari_replay.threads import map_ahead


@dataclasses.dataclass(frozen=True)
class Report:
    """Describes a checkpoint. Fields are None if the layout does not say, or they were not read.

    A folder that this user may not list has a report with only `folder` and `damage`.

    Attributes:
      folder: the folder of its files.
      game: as in `GAMES`.
      run: the run's number.
      checkpoint: the checkpoint's number.
      layout: `dopamine`, `d4rl_atari` or `rl_unplugged`.
      capacity: rows in the ring.
      cursor: the row that would have been written next.
      cursor_is_assumed: whether the layout lacks `add_count`, so that the cursor is a guess.
      steps: how many were logged, without padding.
      steps_are_exact: whether `steps` and the fields about episodes are certain. If not, up to
        three rows at the beginning count as padding but may be steps: their frames would show.
      episodes: how many it has, pieces included.
      complete_episodes: how many episodes go from a reset to a terminal.
      mean_return: mean sum of clipped rewards of complete episodes; None if there are none.
      missing_files: names of files that a checkpoint needs.
      damage: the error of a damaged file, or of a folder that cannot be listed.
      missing_before: numbers of absent checkpoints between the previous one and this one.
      unwritten_laps: how many laps the logger never wrote since the previous checkpoint.
      repeated_rows: how many rows of a last dump are also in the previous checkpoint.
    """

    folder: str
    game: str | None = None
    run: int | None = None
    checkpoint: int | None = None
    layout: str | None = None
    capacity: int | None = None
    cursor: int | None = None
    cursor_is_assumed: bool = False
    steps: int | None = None
    steps_are_exact: bool = False
    episodes: int | None = None
    complete_episodes: int | None = None
    mean_return: float | None = None
    missing_files: tuple[str, ...] = ()
    damage: str | None = None
    missing_before: tuple[int, ...] = ()
    unwritten_laps: int | None = None
    repeated_rows: int | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a dataset can be built from it, judging by what was read."""
        return not self.missing_files and self.damage is None


def inspect(path: epath.PathLike, *, deep: bool = False) -> list[Report]:
    """Inspects every checkpoint below a folder, on all cores.

    Args:
      path: a folder in one of the layouts, or one inside such a folder.
      deep: whether to read every byte that a build reads, so that gzip's checksums are compared and
        steps are counted exactly. Otherwise only the frames' header is read, and only the first
        episode of RL Unplugged's files.

    Returns:
      A report per checkpoint, by game, run, layout and number; then one per folder that cannot be
      listed.

    Raises:
      FileNotFoundError: there is no checkpoint.
    """
    found, errors = _find(path)
    looks = map_ahead(lambda files: _look_at(files, deep), found)
    bar = progress.bar(looks, total=len(found), desc="Inspecting", unit=" checkpoint")
    seen = list(zip(found, bar, strict=True))
    runs = itertools.groupby(seen, lambda one: (one[0].game.name, one[0].run, one[0].layout.name))
    reports = [report for _, run in runs for report in _compare(list(run))]
    unlistable = (
        Report(str(error.filename), damage=f"cannot be listed: {error.strerror or error}")
        for error in errors
    )
    return [*reports, *unlistable]


@dataclasses.dataclass(frozen=True)
class _Look:
    """A checkpoint's report, and what a comparison with its neighbours needs."""

    report: Report
    add_count: int | None = None
    is_last_dump: bool = False

    @property
    def laps_skipped(self) -> int:
        """How many laps up to this dump were never written."""
        if self.add_count is None or not self.report.capacity:
            return 0
        return max(self.add_count // self.report.capacity - (self.report.checkpoint or 0), 0)


def _find(path: epath.PathLike) -> tuple[list[CheckpointFiles], list[OSError]]:
    path = paths.open_path(path)
    folders = [path]
    if not paths.is_remote(path):
        # Only the target of a link to a run's folder has the run's name.
        folders = [epath.Path(os.path.abspath(path)), epath.Path(os.path.realpath(path))]
    for folder in folders:
        # It may be the folder of a game, a run or its replay_logs.
        for root in (folder, *list(folder.parents)[:3]):
            found, errors = layouts.find_all(root)
            found = [f for f in found if epath.Path(f.folder).is_relative_to(folder)]
            errors = [e for e in errors if epath.Path(str(e.filename)).is_relative_to(folder)]
            if found or errors:
                return found, errors
    raise FileNotFoundError(
        f"No replay logs in {path} ({paths.describe(path)}). Expected, in it or around it:\n"
        f"{layouts.DESCRIPTION}"
    )


def _look_at(files: CheckpointFiles, deep: bool) -> _Look:
    report = Report(
        os.fspath(files.folder),
        files.game.name,
        files.run,
        files.number,
        files.layout.name,
        missing_files=tuple(files.missing),
    )
    if files.missing:
        return _Look(report)
    try:
        opened = files.open()
        report = dataclasses.replace(
            report,
            capacity=opened.capacity,
            cursor=opened.cursor,
            cursor_is_assumed=opened.is_cursor_assumed,
        )
        if (outline := opened.outline(deep=deep)) is not None:
            complete = outline.returns[outline.is_complete]
            report = dataclasses.replace(
                report,
                steps=int(outline.lengths.sum()),
                steps_are_exact=outline.is_exact,
                episodes=len(outline.lengths),
                complete_episodes=len(complete),
                mean_return=float(np.mean(complete)) if len(complete) else None,
            )
        return _Look(report, opened.add_count, opened.is_last_dump)
    except ReplayLogError as error:
        damage = str(error).removeprefix(f"{files}: ").removesuffix(f" {files.if_damaged}")
        return _Look(dataclasses.replace(report, damage=damage))


def _compare(run: Sequence[tuple[CheckpointFiles, _Look]]) -> Iterator[Report]:
    """Fills in what only a comparison with the previous checkpoint shows."""
    skipped = 0
    for before, (files, look) in zip([None, *run], run, strict=False):
        report = look.report
        if before is not None:
            gap = range(before[0].number + 1, files.number)
            report = dataclasses.replace(report, missing_before=tuple(gap))
        if look.is_last_dump:
            if before is not None and before[1].report.is_usable and not report.missing_before:
                repeated = _count_repeated(before[0], files)
                report = dataclasses.replace(report, repeated_rows=repeated)
        elif look.add_count is not None:
            laps = look.laps_skipped - skipped
            skipped = look.laps_skipped
            report = dataclasses.replace(report, unwritten_laps=laps)
        yield report


def _count_repeated(before: CheckpointFiles, last: CheckpointFiles) -> int | None:
    try:
        return last.open().count_repeated(before.open())
    except ReplayLogError:  # Both were fine a moment ago, so some process is writing to them.
        return None
