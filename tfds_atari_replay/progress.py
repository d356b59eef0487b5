"""Progress bars for whoever looks: in terminals and notebooks, but not in files."""

from __future__ import annotations

import os
from typing import Any

import tqdm
from tqdm import auto


def bar(*args: Any, **options: Any) -> tqdm.tqdm[Any]:
    """Returns tqdm's bar, with tqdm's arguments. If nobody looks, it shows nothing."""
    switch = os.environ.get("TQDM_DISABLE")  # tqdm's own, which an argument would override
    if switch is not None:
        options["disable"] = switch not in ("", "0")
    else:
        # For tqdm a notebook, where bars are widgets, is a file.
        options["disable"] = False if _has_widgets() else None
    shown: tqdm.tqdm[Any] = auto.tqdm(*args, **options)
    return shown


def _has_widgets() -> bool:
    from tqdm import notebook

    return issubclass(auto.tqdm, notebook.tqdm)
