"""Dependencies that only some features need, and what to say when one is missing."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator

from etils import epy


def _pip_line(extra: str) -> str:
    return f"Install what it needs with: pip install 'tfds-atari-replay[{extra}]'"


@contextlib.contextmanager
def required_for(feature: str, extra: str) -> Iterator[None]:
    """Answers a failed import with the line that installs what is missing.

    Args:
      feature: what the user asked for, to begin the message with.
      extra: the extra of this package that brings it.

    Raises:
      ImportError: an import inside the block failed.
    """
    try:
        yield
    except ImportError as error:
        raise ImportError(f"{feature} needs {error.name}. {_pip_line(extra)}") from error


def check_tensorflow(feature: str, otherwise: str) -> None:
    """Checks that TensorFlow is installed, without importing it.

    TFDS imports it late, when everything was read, and would not name the extra.

    Args:
      feature: what the user asked for, to begin the message with.
      otherwise: a hint at what works without TensorFlow, appended to the message.

    Raises:
      ImportError: it is not installed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise ImportError(
            f"{feature} needs tensorflow. {_pip_line('tensorflow')}\n{otherwise}",
            name="tensorflow",
        )


# Imported on first use: reading with NumPy never needs it, and it takes seconds.
with epy.lazy_imports(error_callback=_pip_line("tensorflow")):
    import tensorflow as tensorflow
