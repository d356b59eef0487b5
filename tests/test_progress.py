"""Progress bars are for whoever looks."""

from __future__ import annotations

import io
import sys

import pytest

from tfds_atari_replay import progress


class Terminal(io.StringIO):
    """A stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "disable", "is_shown"),
    [
        (Terminal(), None, True),
        (Terminal(), "1", False),
        (io.StringIO(), None, False),
        (io.StringIO(), "", True),
    ],
    ids=["terminal", "terminal, switched off", "file", "file, switched on"],
)
def test_bars_are_for_terminals(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, disable: str | None, is_shown: bool
) -> None:
    """Log files stay free of them, unless tqdm's own switch says otherwise."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if disable is not None:
        monkeypatch.setenv("TQDM_DISABLE", disable)
    assert list(progress.bar(range(3), desc="Counting")) == [0, 1, 2]
    assert ("Counting: 100%" in stream.getvalue()) == is_shown
