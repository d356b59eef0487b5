"""A dataset's folder is replaced by a complete one, and one of the two is always there."""

import pathlib

import pytest
from etils import epath

from tfds_atari_replay.building import folders


def make(folder: epath.Path, content: str) -> epath.Path:
    """A folder with one file."""
    folder.mkdir(parents=True)
    (folder / "file").write_text(content)
    return folder


def names(folder: epath.Path) -> list[str]:
    """Returns the names beside a folder, its own included."""
    return sorted(path.name for path in folder.parent.iterdir())


@pytest.mark.parametrize("can_exchange", [True, False])
@pytest.mark.parametrize("is_there", [True, False])
def test_the_new_one_takes_the_place(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool, is_there: bool
) -> None:
    """It does so whether there was one before or not, and nothing else is left."""
    folder = epath.Path(tmp_path) / "1.0.0"
    if is_there:
        make(folder, "old")
    if not can_exchange:
        monkeypatch.setattr(folders, "_exchange", lambda *_: False)
    new = make(folders.new_beside(folder), "new")
    folders.replace(folder, new)
    assert (folder / "file").read_text() == "new"
    assert names(folder) == ["1.0.0"]


def test_two_folders_change_places_at_once(tmp_path: pathlib.Path) -> None:
    """On Linux both folders exist at every moment."""
    one, other = (make(epath.Path(tmp_path) / name, name) for name in ("one", "other"))
    if not folders._exchange(one, other):
        pytest.skip("this file system cannot exchange folders")
    assert [(path / "file").read_text() for path in (one, other)] == ["other", "one"]


def test_what_a_kill_left_between_two_renames_is_restored(tmp_path: pathlib.Path) -> None:
    """It is restored only if the folder itself is gone."""
    folder = epath.Path(tmp_path) / "1.0.0"
    make(folders.new_beside(folder.with_name("2.0.0")), "of another version")
    folders.restore(folder)
    assert not folder.exists()
    make(folders.new_beside(folder), "old")
    folders.restore(folder)
    assert (folder / "file").read_text() == "old"
    make(folders.new_beside(folder), "new")
    folders.restore(folder)
    assert (folder / "file").read_text() == "old"
