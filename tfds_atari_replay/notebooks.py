"""Tables for notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping


def to_table(facts: Mapping[str, str]) -> str:
    """Returns an HTML table with a row for each fact."""
    left = "style='text-align: left'"
    rows = (
        f"<tr><th {left}>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in facts.items()
    )
    return f"<table>{''.join(rows)}</table>"
