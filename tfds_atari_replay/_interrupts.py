"""One line, not a traceback, after Ctrl-C while `atari-replay` imports what it needs.

`cli.main` says the same of what it runs, but TFDS takes seconds to import, and is imported first.
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
