"""inspect against the play that logs were made of, whole and damaged."""

import gzip
import json
import os
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
from helpers.damage import damaged_copy
from helpers.datasets import DUMMY_DATA
from helpers.logs import (
    Truth,
    copy_to_cache,
    log_folder,
    make_episodes,
    open_log,
    write_gz,
    write_log,
)
from helpers.processes import unprivileged
from helpers.unplugged import write_unplugged

from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.cli.main import main
from tfds_atari_replay.logs import episodes, frames, inspection
from tfds_atari_replay.logs.episodes import read_episodes
from tfds_atari_replay.logs.inspection import Report, inspect


def counts(report: Report) -> tuple[Any, ...]:
    """Returns what a report says about episodes."""
    return (
        report.steps,
        report.episodes,
        report.complete_episodes,
        None if report.mean_return is None else round(report.mean_return, 5),
    )


def true_counts(held: list[Truth]) -> tuple[Any, ...]:
    """Returns the same for the episodes that a checkpoint really holds."""
    returns = [e.reward.sum() for e in held if e.starts_at_reset and e.ends_in_terminal]
    return (
        sum(len(e.action) for e in held),
        len(held),
        len(returns),
        round(float(np.mean(returns)), 5) if returns else None,
    )


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("capacity", [20, 31, 64, 97])
def test_counts_are_those_of_the_play(tmp_path: pathlib.Path, capacity: int, deep: bool) -> None:
    """Counts are exact with `deep`; without it, those not marked exact are within 3 steps."""
    lengths = np.random.default_rng(capacity).integers(1, 40, 30).tolist()
    held = write_log(log_folder(tmp_path), capacity, make_episodes(lengths))
    reports = inspect(tmp_path, deep=deep)
    # A lap that is skipped shifts the numbers; there is none here.
    assert [report.checkpoint for report in reports] == list(range(len(held)))
    assert all(report.capacity == capacity for report in reports)
    exact = 0
    for report, truth in zip(reports, held, strict=True):
        assert report.is_usable
        if report.steps_are_exact:
            assert counts(report) == true_counts(truth)
            exact += 1
        else:
            assert report.steps is not None
            assert 0 <= true_counts(truth)[0] - report.steps <= 3
    assert exact == len(held) if deep else 0 < exact < len(held)


def test_dummy_data() -> None:
    """Reports agree with builds, and show gaps, unwritten laps and repeated rows."""
    reports = {(r.game, r.run, r.checkpoint): r for r in inspect(DUMMY_DATA, deep=True)}
    assert len(reports) == 10
    for (game, run, number), report in reports.items():
        assert game
        assert run
        assert number is not None
        found = list(read_episodes(open_log(DUMMY_DATA, game, run, number)))
        assert report.steps_are_exact
        assert (report.steps, report.episodes, report.complete_episodes) == (
            sum(len(e.action) for e in found),
            len(found),
            sum(e.is_complete for e in found),
        )
    assert reports["Breakout", 1, 10].missing_before == tuple(range(2, 10))
    assert reports["Breakout", 1, 10].unwritten_laps == 0
    assert reports["Breakout", 5, 1].unwritten_laps == 1
    assert reports["Breakout", 1, 50].cursor == 809
    assert reports["Breakout", 1, 50].repeated_rows == 1499 - 1 - 809
    assert reports["Asterix", 1, 2].repeated_rows == 1000 - 1 - 730
    assert reports["Breakout", 5, 49].repeated_rows is None  # 48 is not there


def test_repeated_rows_are_those_of_the_play(tmp_path: pathlib.Path) -> None:
    """A run's checkpoints hold each step once, except for the rows its last dump repeats."""
    lengths = [30, 80, 5, 120, 61]
    write_log(log_folder(tmp_path), 97, make_episodes(lengths))
    reports = inspect(tmp_path, deep=True)
    repeated = reports[-1].repeated_rows
    assert repeated
    before, last = (open_log(tmp_path, "Breakout", 1, len(reports) - n) for n in (2, 1))
    rows = [c.in_time_order(frames.read_frames(c)) for c in (before, last)]
    np.testing.assert_array_equal(rows[0][-repeated:], rows[1][:repeated])
    assert not (rows[0][-1] == rows[1][repeated]).all()


def test_a_lap_that_was_never_written(tmp_path: pathlib.Path) -> None:
    """An unwritten lap shows in add_count; a last dump that follows one repeats nothing."""
    # A lap ends inside the padding of the second episode: adds 20 to 22 of capacity 22.
    write_log(log_folder(tmp_path), 22, make_episodes([17, 80]))
    reports = inspect(tmp_path)
    assert [report.unwritten_laps for report in reports[:-1]] == [1, *[0] * (len(reports) - 2)]

    write_log(log_folder(tmp_path / "last"), 22, make_episodes([39, 10]))
    assert [report.repeated_rows for report in inspect(tmp_path / "last")] == [None, 0]


def test_damage(tmp_path: pathlib.Path) -> None:
    """Reports say what is missing and what is wrong; damaged frames show only with `deep`."""
    root = damaged_copy(tmp_path)
    quick = {r.checkpoint: r for r in inspect(root) if r.run == 1}
    deep = {r.checkpoint: r for r in inspect(root, deep=True) if r.run == 1}
    for reports in (quick, deep):
        assert reports[49].missing_files == ("action",)
        assert reports[0].damage is not None
        assert "terminal_ckpt.0.gz is damaged" in reports[0].damage
        assert reports[0].damage.endswith("it has 7 rows, 'observation' has 1,499.")
        assert reports[50].missing_files == ("add_count",)
        assert not reports[50].is_usable
    assert quick[1].is_usable
    assert quick[10].is_usable
    assert deep[1].damage is not None
    assert "observation_ckpt.1.gz is damaged or not a log: CRC" in deep[1].damage
    assert deep[10].damage is not None
    assert (
        "observation_ckpt.10.gz is damaged or not a log: Compressed file ended" in deep[10].damage
    )
    assert deep[10].steps is None
    (longer,) = (r for r in inspect(root, deep=True) if (r.run, r.checkpoint) == (5, 1))
    assert longer.damage is not None
    assert "expected the file to end with its array, got more bytes" in longer.damage


def test_other_layouts_beside_dopamines(tmp_path: pathlib.Path) -> None:
    """Every layout in a folder is listed; d4rl-atari's cache has an assumed cursor."""
    truths = make_episodes([5, 7, 9])
    write_log(log_folder(tmp_path), 50, truths)
    copy_to_cache(log_folder(tmp_path), tmp_path / "Breakout" / "1", 0)
    path = tmp_path / "atari_episodes_ordered" / "Breakout" / "run_1-00003-of-00050"
    write_unplugged(path, truths)
    log, cache, other = inspect(tmp_path)
    assert [r.layout for r in (log, cache, other)] == ["dopamine", "d4rl_atari", "rl_unplugged"]
    assert (log.cursor_is_assumed, cache.cursor_is_assumed) == (False, True)
    assert (other.checkpoint, other.capacity, other.steps) == (3, None, None)
    other = inspect(tmp_path, deep=True)[2]
    assert counts(other) == true_counts(truths)
    path.write_bytes(path.read_bytes()[:-1])
    assert not inspect(tmp_path, deep=True)[2].is_usable
    path.write_bytes(b"")
    assert not inspect(tmp_path)[2].is_usable


@pytest.mark.parametrize(
    ("part", "count"),
    [
        ("", 10),
        ("dqn", 10),
        ("dqn/Breakout", 7),
        ("dqn/Breakout/5", 2),
        ("dqn/Breakout/5/replay_logs", 2),
    ],
)
def test_a_part_of_a_tree(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, part: str, count: int
) -> None:
    """The folder of a game, a run or its logs can be inspected, also as the current folder."""
    (tmp_path / "copy").mkdir()
    shutil.copytree(DUMMY_DATA, tmp_path / "copy" / "dqn")
    assert len(inspect(tmp_path / "copy" / part)) == count
    monkeypatch.chdir(tmp_path / "copy" / part)
    assert len(inspect(".")) == count


def test_frames_are_not_read_without_deep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(episodes, "find_black_frames", None)
    assert len(inspection.inspect(DUMMY_DATA)) == 10
    with pytest.raises(TypeError):
        inspection.inspect(DUMMY_DATA, deep=True)


def test_one_odd_file_ends_nothing(tmp_path: pathlib.Path) -> None:
    """Each checkpoint has its report, which names the odd file."""
    shutil.copytree(DUMMY_DATA / "Breakout", tmp_path / "Breakout")
    logs = tmp_path / "Breakout" / "1" / "replay_logs"
    odd = {
        0: logs / "$store$_terminal_ckpt.0.gz",
        1: logs / "add_count_ckpt.1.gz",
        10: logs / "$store$_observation_ckpt.10.gz",
        49: logs / "$store$_reward_ckpt.49.gz",
    }
    for path in odd.values():
        path.unlink()
    odd[0].mkdir()
    odd[1].symlink_to(tmp_path / "nowhere")
    with gzip.open(odd[10], "wb") as file:
        file.write(b"\x93NUMPY\x01\x00\x08\x00(1, [{}((")
    os.mkfifo(odd[49].with_name("$store$_reward_ckpt.7.gz"))
    write_gz(odd[49], np.zeros((3, 3)))
    for deep in (False, True):
        reports = {r.checkpoint: r for r in inspect(tmp_path, deep=deep) if r.run == 1}
        assert set(reports) == {0, 1, 7, 10, 49, 50}
        for number, path in odd.items():
            damage = reports[number].damage
            assert damage is not None
            assert path.name in damage
        assert reports[7].missing_files == (
            "observation",
            "action",
            "terminal",
            "add_count",
        )
        assert reports[50].is_usable


@pytest.mark.parametrize("locked", ["Breakout/5/replay_logs", "Breakout/5", "Breakout", "dqn"])
def test_a_folder_that_may_not_be_listed_ends_nothing(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], locked: str
) -> None:
    """The closed folder has a report of its own, beside those of the others."""
    logs = tmp_path / "logs"
    shutil.copytree(DUMMY_DATA, logs)
    (logs / "dqn").mkdir()
    expected = [
        r for r in inspect(logs) if not pathlib.Path(r.folder).is_relative_to(logs / locked)
    ]
    (logs / locked).chmod(0)
    with unprivileged(logs / locked):
        reports = inspect(logs)
        assert main(["inspect", str(logs)]) == 1
        shown = " ".join(capsys.readouterr().out.split())
        assert main(["inspect", str(logs), "--json"]) == 1
        last = json.loads(capsys.readouterr().out)["checkpoints"][-1]
    (logs / locked).chmod(0o755)
    assert [r for r in reports if r.checkpoint is not None] == expected
    rest = [r for r in reports if r.checkpoint is None]
    assert rest
    for report in rest:
        assert report == Report(report.folder, damage="cannot be listed: Permission denied")
        assert pathlib.Path(report.folder).is_relative_to(logs / locked)
    assert f"{logs / locked}" in shown.replace(" ", "")
    assert f"{len(expected)} checkpoints, all complete." in shown
    assert "cannot be listed." in shown
    assert last["folder"] == rest[-1].folder


def test_a_pipe_is_no_file(tmp_path: pathlib.Path) -> None:
    """Opening a pipe would wait forever for a writer."""
    shutil.copytree(DUMMY_DATA / "Breakout", tmp_path / "Breakout")
    path = tmp_path / "Breakout" / "1" / "replay_logs" / "$store$_reward_ckpt.49.gz"
    path.unlink()
    os.mkfifo(path)
    (tmp_path / "Pong").mkdir()
    os.mkfifo(tmp_path / "Pong" / "run_1-00049-of-00050")
    damage = {(r.game, r.checkpoint): r.damage for r in inspect(tmp_path, deep=True) if r.damage}
    assert set(damage) == {("Breakout", 49), ("Pong", 49)}
    assert all(d and "expected a file, got a pipe" in d for d in damage.values())
    with pytest.raises(ReplayLogError, match="expected a file, got a pipe"):
        open_log(tmp_path, "Breakout", 1, 49)


def test_a_link_to_a_runs_logs_is_inspected(tmp_path: pathlib.Path) -> None:
    """Only the target of the link bears the run's name."""
    link = tmp_path / "link"
    link.symlink_to(DUMMY_DATA / "Breakout" / "5" / "replay_logs")
    assert [(r.run, r.checkpoint) for r in inspect(link)] == [(5, 1), (5, 49)]
    # In a tree of links the names are in the tree.
    (tmp_path / "Breakout" / "3").mkdir(parents=True)
    (tmp_path / "Breakout" / "3" / "replay_logs").symlink_to(link)
    assert [r.run for r in inspect(tmp_path / "Breakout" / "3" / "replay_logs")] == [3, 3]


def test_names_that_no_logger_writes(tmp_path: pathlib.Path) -> None:
    """A number written differently, such as 01, does not make a second checkpoint."""
    shutil.copytree(DUMMY_DATA / "Breakout" / "5", tmp_path / "Breakout" / "5")
    logs = tmp_path / "Breakout" / "5" / "replay_logs"
    for path in sorted(logs.glob("*ckpt.49.gz")):
        for number in ("01", "\u0661", "1_0", "+1"):  # one of them an Arabic digit
            shutil.copy(path, path.with_name(path.name.replace("49", number)))
    shutil.copytree(tmp_path / "Breakout" / "5", tmp_path / "Breakout" / "05")
    expected = inspect(DUMMY_DATA / "Breakout" / "5", deep=True)
    found = inspect(tmp_path, deep=True)
    assert [(r.run, r.checkpoint, r.steps) for r in found] == [
        (5, report.checkpoint, report.steps) for report in expected
    ]
