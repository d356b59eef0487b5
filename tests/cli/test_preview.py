"""`atari-replay preview`. What its page holds is tested in tests/figures."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from tfds_atari_replay.cli import preview
from tfds_atari_replay.cli.main import main
from tfds_atari_replay.figures import page, summaries
from tfds_atari_replay.figures.summaries import Summary


def test_a_page_is_written_where_it_says(
    data_dir: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Into a new folder."""
    folder = tmp_path / "new" / "folder"
    arguments = ["preview", "breakout_expert_v0", f"--data_dir={data_dir}", f"--out={folder}"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.endswith(f"Wrote {folder / 'index.html'}\n")
    (path,) = folder.iterdir()
    assert "<title>breakout_expert_v0</title>" in path.read_text()


@pytest.mark.parametrize("name", ["breakout_expert_v0", "atari_replay/breakout_expert_v0"])
def test_the_builders_name_may_be_left_out(
    data_dir: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    written = []

    def write(summary: Summary, folder: pathlib.Path) -> pathlib.Path:
        written.append((summary.name, len(summary.episodes)))
        return folder

    monkeypatch.setattr(page, "write_page", write)
    assert main(["preview", name, f"--data_dir={data_dir}", f"--out={tmp_path}"]) == 0
    assert written == [("breakout_expert_v0", 3)]


def test_a_folder_that_cannot_be_written_to_is_said_first(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, error_of: Callable[[list[str]], str]
) -> None:
    """Before any episode is read."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("read the dataset")

    monkeypatch.setattr(preview, "open_prepared", lambda *_, **__: None)
    monkeypatch.setattr(summaries, "summarize", refuse)
    (tmp_path / "preview").write_text("")
    expected = "error: --out must be a folder that can be written to, or made (got 'preview'): "
    assert error_of(["preview", "breakout_expert_v0"]).startswith(expected)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("breakout_expert_v0", "holds no dataset. Build it first:"),
        ("breakout_expret_v0", "Did you mean breakout_expert_v0"),
    ],
)
def test_without_the_dataset_no_folder_is_made(
    error_of: Callable[[list[str]], str], config: str, message: str
) -> None:
    assert message in error_of(["preview", config, "--data_dir=x"])
