"""The files of a checkpoint: missing, unreadable, or changed meanwhile."""

import pathlib
import shutil

import pytest
from etils import epath
from helpers.damage import path_of, read_all, replaced, take_all
from helpers.logs import find_checkpoint, open_log
from helpers.processes import unprivileged

from tfds_atari_replay import ReplayLogError
from tfds_atari_replay.logs.episodes import read_episodes
from tfds_atari_replay.logs.files import Stamp, numbered, portable

UNREADABLE = {
    "a folder": (replaced("reward", pathlib.Path.mkdir), "reward.*cannot be read: Is a directory"),
    "a dangling link": (
        replaced("observation", lambda path: path.symlink_to("/nowhere")),
        "observation.*cannot be read: No such file",
    ),
    "a link to itself": (
        replaced("add_count", lambda path: path.symlink_to(path)),
        "add_count.*cannot be read: Too many levels",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_named(log: pathlib.Path, name: str) -> None:
    """The message has the system's reason, and does not call the file damaged."""
    change, message = UNREADABLE[name]
    change(log)
    with pytest.raises(ReplayLogError, match=message) as error:
        read_all(log)
    assert str(error.value).startswith(f"Breakout run 1 checkpoint 1: {log}/")


def test_a_file_of_somebody_elses_is_named(log: pathlib.Path) -> None:
    path_of(log, "terminal").chmod(0)
    with (
        unprivileged(log),
        pytest.raises(ReplayLogError, match=r"terminal_ckpt\.1\.gz cannot be read: Permission"),
    ):
        read_all(log)


@pytest.mark.parametrize("name", ["observation", "action", "add_count"])
@pytest.mark.parametrize("step", ["opened", "reading"])
def test_a_change_while_it_is_read_is_refused(
    log: pathlib.Path, name: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of checkpoint 2, each one whole, are copied over those of checkpoint 1."""
    # What is read ahead is not all there is.
    monkeypatch.setattr("tfds_atari_replay.logs.frames._AT_ONCE", 1)
    monkeypatch.setattr("tfds_atari_replay.logs.frames._ARRAYS_AHEAD", 1)
    checkpoint = open_log(log.parents[2], "Breakout", 1, 1)
    found = read_episodes(checkpoint)
    if step == "reading":
        next(next(found).frames)
    path = path_of(log, name)
    path.write_bytes(path.with_name(path.name.replace(".1.", ".2.")).read_bytes())
    with pytest.raises(ReplayLogError, match=rf"{name}_ckpt\.1\.gz was changed while it was read"):
        take_all(found)


@pytest.mark.parametrize("name", ["observation", "action", "reward", "terminal", "add_count"])
def test_a_missing_file_is_named(log: pathlib.Path, name: str) -> None:
    """A checkpoint that lacks a file is an error, instead of being passed over."""
    path_of(log, name).unlink()
    with pytest.raises(FileNotFoundError, match=f"checkpoint 1: no file for '{name}' in {log}"):
        find_checkpoint(log.parents[2], "Breakout", 1, 1).open()


def test_a_stamp_matches_no_later_file() -> None:
    """Stamps without an inode, as other machines have them, match by size and time."""
    stamp = Stamp(10, 7, inode=5)
    assert [
        stamp.matches(other)
        for other in (
            Stamp(10, 7, inode=5),
            Stamp(10, 7),
            Stamp(10, 7, inode=6),
            Stamp(10, 8, inode=5),
            Stamp(11, 7, inode=5),
        )
    ] == [True, True, False, False, False]
    assert Stamp(10, 7).matches(stamp)
    assert portable({"action": stamp}) == {"action": Stamp(10, 7)}


def test_a_file_that_was_replaced_is_noticed_by_its_inode(log: pathlib.Path) -> None:
    """Size and time are the same, as after `cp --preserve` from another copy."""
    files = find_checkpoint(log.parents[2], "Breakout", 1, 1)
    stamps, path = files.stamps(), path_of(log, "action")
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.rename(path)
    files.check_unchanged(portable(stamps))
    with pytest.raises(ReplayLogError, match=r"action_ckpt\.1\.gz was changed while it was read"):
        files.check_unchanged(stamps)


def test_only_names_that_loggers_write_are_numbers(tmp_path: pathlib.Path) -> None:
    for name in ("0", "7", "50", "07", "-1", "+1", "1_0", "\u0661", "1.0", "x", "7x"):
        (tmp_path / name).mkdir()
    assert numbered(epath.Path(tmp_path)) == {0, 7, 50}
    assert numbered(epath.Path(tmp_path / "nothing")) == set()
