"""How objects show themselves in notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping


def to_table(facts: Mapping[str, str]) -> str:
    """Returns an HTML table with a row for each fact."""
    left = "style='text-align: left'"
    cells = ((html.escape(what), html.escape(value)) for what, value in facts.items())
    rows = (f"<tr><th {left}>{what}</th><td>{value}</td></tr>" for what, value in cells)
    return f"<table>{''.join(rows)}</table>"
