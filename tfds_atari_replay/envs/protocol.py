"""How the logs were played: the protocol of Machado et al. (2018), with Dopamine's settings."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Integers: TypeAlias = npt.NDArray[np.int64]

FRAMES_PER_STEP = 4
STACK_SIZE = 4
STICKY_PROBABILITY = 0.25

MAX_STEPS = 27_000
"""Agent steps (108,000 frames) after which an episode was cut."""
