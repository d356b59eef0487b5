"""Large batches get memory that earlier ones no longer need."""

from __future__ import annotations

import collections
import math
from typing import Any

import numpy as np
import numpy.typing as npt

# glibc gives freed blocks of more than 32 MB back to the system, so that each large batch would
# have its pages made and cleared anew, which takes longer than filling them. Above the upper
# limit, the block kept after the work is done would be too much.
_SMALLEST, _LARGEST = 2**25, 2**28

# A loop that draws a batch while it still has the last one needs two blocks in turn: this one, and
# the one in use.
_spare: collections.deque[npt.NDArray[np.uint8]] = collections.deque(maxlen=1)


class _Lease:
    """Lends a block to NumPy's arrays; when the last of them is gone, the block is spare."""

    def __init__(self, block: npt.NDArray[np.uint8]):
        self._block = block

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return self._block.__array_interface__

    # An argument, since globals may be gone when Python ends.
    def __del__(self, spare: Any = _spare) -> None:
        spare.append(self._block)


def empty(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Returns an array like np.empty; a large one reuses the memory of an earlier one."""
    size = math.prod(shape)
    if not _SMALLEST <= size <= _LARGEST:
        return np.empty(shape, np.uint8)
    try:
        block = _spare.pop()
    except IndexError:
        block = np.empty(0, np.uint8)
    if len(block) != size:
        block = np.empty(size, np.uint8)
    return np.asarray(_Lease(block)).reshape(shape)
