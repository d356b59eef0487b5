"""Stacks of frames, the plainest way."""

from __future__ import annotations

from typing import Any

import numpy as np


def slow_stacks(frames: Any, terminals: Any) -> list[Any]:
    """Row by row, as d4rl-atari documents it: four frames, zeros before an episode."""
    stacks, known = [], 1
    for row in range(len(frames)):
        zeros = np.zeros((max(4 - known, 0), 84, 84), np.uint8)
        stacks.append(np.concatenate([zeros, frames[row - min(known, 4) + 1 : row + 1]]))
        known = 1 if terminals[row] else known + 1
    return stacks
