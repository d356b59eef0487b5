"""Policies that play well enough to record play of more than a game's first seconds."""

from __future__ import annotations

from typing import Any

import numpy as np

_NOOP, _FIRE, _RIGHT, _LEFT = range(4)


class BallFollower:
    """Keeps Breakout's paddle under the ball; one action in ten is random, so that games differ."""

    def __init__(self, seed: int = 0):
        self._rng = np.random.default_rng(seed)

    def __call__(self, observations: Any) -> Any:
        """Actions for uint8 (1, 4, 84, 84)."""
        frame = observations[0, -1]
        ball = frame[38:74, 5:79].any(axis=0).nonzero()[0]
        paddle = frame[75:77, 5:79].any(axis=0).nonzero()[0]
        if self._rng.random() < 0.1 or not len(paddle):
            action: Any = self._rng.integers(4)
        elif not len(ball):
            action = _FIRE
        else:
            distance = ball.mean() - paddle.mean()
            action = _NOOP if abs(distance) < 3 else _RIGHT if distance > 0 else _LEFT
        return np.array([action])
