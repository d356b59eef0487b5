"""Progress bars in terminals and notebooks, but not in files."""

from __future__ import annotations

import os
from typing import Any

import tqdm
from tqdm import auto


def bar(*args: Any, **options: Any) -> tqdm.tqdm[Any]:
    """Returns tqdm's bar; takes tqdm's arguments. In files the bar is not shown."""
    switch = os.environ.get("TQDM_DISABLE")  # tqdm's own, which an argument would override
    if switch is not None:
        options["disable"] = switch not in ("", "0")
    elif auto.notebook_tqdm is tqdm.tqdm:
        options["disable"] = None  # unless stderr is a terminal
    shown: tqdm.tqdm[Any] = auto.tqdm(*args, **options)
    return shown
