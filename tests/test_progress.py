"""Progress bars in terminals and notebooks, but not in files."""

from __future__ import annotations

import io
import sys

import pytest
from tqdm import auto

from tfds_atari_replay import progress


class Terminal(io.StringIO):
    """A terminal's stream."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "disable", "is_shown"),
    [
        (Terminal(), None, True),
        (Terminal(), "1", False),
        (io.StringIO(), None, False),
        (io.StringIO(), "", True),
        (io.StringIO(), "0", True),
    ],
    ids=["terminal", "terminal, switched off", "file", "file, switched on", "file, 0"],
)
def test_bars_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, disable: str | None, is_shown: bool
) -> None:
    """Log files have none, unless tqdm's own switch says otherwise."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if disable is not None:
        monkeypatch.setenv("TQDM_DISABLE", disable)
    assert list(progress.bar(range(3), desc="Counting")) == [0, 1, 2]
    assert ("Counting: 100%" in stream.getvalue()) == is_shown


def test_notebooks_decide_for_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars are widgets there, although stderr is not a terminal."""
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(auto, "tqdm", lambda *_, **options: options)
    assert progress.bar(desc="a") == {"desc": "a", "disable": None}
    monkeypatch.setattr(auto, "notebook_tqdm", object)
    assert progress.bar(desc="a") == {"desc": "a"}
