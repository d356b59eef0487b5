"""A lock keeps others out, and is done without where there can be none."""

import os
import pathlib
import threading

import filelock
import pytest
from helpers.processes import unprivileged

from tfds_atari_replay.locking import lock


def is_free(path: pathlib.Path) -> bool:
    """Whether another could have the lock."""
    try:
        with filelock.FileLock(path, timeout=0):
            return True
    except filelock.Timeout:
        return False


def test_one_at_a_time(tmp_path: pathlib.Path) -> None:
    """The second waits for the first; its folder is created, and its file stays."""
    path = tmp_path / "new" / "folder" / "a.lock"
    done = []

    def second() -> None:
        with lock(path):
            done.append("second")

    with lock(path):
        assert not is_free(path)
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        done.append("first")
    thread.join()
    assert done == ["first", "second"]
    assert path.exists()


def test_an_error_inside_releases_it(tmp_path: pathlib.Path) -> None:
    """An error of the block comes out, an OSError too."""
    with pytest.raises(PermissionError, match="of the block"), lock(tmp_path / "a.lock"):
        raise PermissionError("of the block")
    assert is_free(tmp_path / "a.lock")


@pytest.mark.parametrize("there", [False, True])
def test_it_goes_on_without_where_nothing_can_be_written(
    tmp_path: pathlib.Path, there: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a folder of somebody else's nor a file in it is an error, or a wait."""
    caplog.set_level("INFO")
    folder = tmp_path / "closed"
    folder.mkdir()
    path = folder / "a.lock"
    if there:
        path.touch(0o444)
    folder.chmod(0o555)
    with unprivileged(folder), lock(path):
        pass
    assert path.exists() == there
    (message,) = caplog.messages
    assert message.startswith(f"Going on without the lock {path}: [Errno 13] Permission denied")


def test_there_is_none_on_servers(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with lock("gs://bucket/a.lock"):
        pass
    assert not os.listdir(tmp_path)
