"""Tables for notebooks."""

from __future__ import annotations

from tfds_atari_replay.notebooks import to_table


def test_each_fact_is_a_row() -> None:
    """Names and values are text, not HTML."""
    left = "style='text-align: left'"
    assert to_table({"steps": "1,493", "<a>": "1 < 2 & 3"}) == (
        f"<table><tr><th {left}>steps</th><td>1,493</td></tr>"
        f"<tr><th {left}>&lt;a&gt;</th><td>1 &lt; 2 &amp; 3</td></tr></table>"
    )
