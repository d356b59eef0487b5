"""Prints one line, not a traceback, after Ctrl-C while `atari-replay` is being imported.

`cli.main` does so once it runs, but importing TFDS before that takes seconds.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if os.path.basename(sys.argv[0] if sys.argv else "") == "atari-replay":
    sys.excepthook = _report
