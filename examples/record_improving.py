"""Records logs of a player that gets better, for the examples to learn from.

    python examples/record_improving.py breakout --out LOGS

The public logs cannot be reached. These have their form, but no DQN played here: the player is a
script that follows the ball, and the share of its actions that are random falls from 1 at the
beginning to 0.05 at the end. So checkpoint 1 is played worse than checkpoint 5, and that worse than
checkpoint 10, the last.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import find_game
from tfds_atari_replay.envs.recording import record

Frames = npt.NDArray[np.uint8]
Point = npt.NDArray[np.float64]

LAPS = 10
"""How often the ring is filled. A run of 10 laps has checkpoints 0 to 10."""


def center(is_object: npt.NDArray[np.bool_]) -> Point | None:
    """Mean row and column of an object's pixels, or None if it is not in sight."""
    pixels = np.argwhere(is_object)
    return pixels.mean(axis=0) if len(pixels) else None


def play_breakout(stack: Frames) -> int:
    """Goes where the ball will come down; serves if there is none. uint8 (4, 84, 84) to action."""
    stay, fire, right, left = range(4)
    balls = [center(frame[38:75, 5:79] > 40) for frame in stack]
    paddle = center(stack[-1, 76:77, 5:79] > 60)
    if balls[-1] is None:
        return fire if all(ball is None for ball in balls) else stay
    if paddle is None:
        return stay
    target = balls[-1][1]
    if balls[-2] is not None:
        rows, columns = balls[-1] - balls[-2]
        if rows > 0.5:  # It comes down; the walls reflect it.
            target += columns / rows * (38 - balls[-1][0])
            target = 73 - abs(73 - abs(target))
    return stay if abs(target - paddle[1]) < 2 else right if target > paddle[1] else left


def play_pong(stack: Frames) -> int:
    """Keeps the paddle as high as the ball. uint8 (4, 84, 84) to action."""
    stay, _, up, down = range(4)
    ball_before, ball = (center(frame[14:77, 12:73] > 200) for frame in stack[-2:])
    before, paddle = (center(frame[14:77, 74:75] // 8 == 147 // 8) for frame in stack[-2:])
    if ball is None or paddle is None:
        return stay
    target = ball[0] + (0 if ball_before is None else ball[0] - ball_before[0])
    # The paddle goes on for a while by itself.
    place = paddle[0] + (0 if before is None else 0.7 * (paddle[0] - before[0]))
    return stay if abs(target - place) < 3 else up if target < place else down


PLAYERS = {"breakout": play_breakout, "pong": play_pong}


class ImprovingPlayer:
    """Takes fewer random actions from checkpoint to checkpoint."""

    def __init__(self, play: Callable[[Frames], int], num_actions: int, steps: int, seed: int):
        self._play, self._num_actions, self._all_steps = play, num_actions, steps
        self._rng = np.random.default_rng(seed)
        self._steps = 0

    def __call__(self, observations: Frames) -> npt.NDArray[np.int64]:
        """Maps uint8 (1, 4, 84, 84) to an action (1,)."""
        random_share = 1 - 0.95 * self._steps / self._all_steps
        self._steps += 1
        if self._rng.random() < random_share:
            return self._rng.integers(self._num_actions, size=1)
        return np.array([self._play(observations[0])])


def main(argv: list[str] | None = None) -> None:
    """Records a run of one game."""
    parser: Any = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("game", choices=PLAYERS)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the logs")
    parser.add_argument("--capacity", type=int, default=25_000, help="rows per checkpoint")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    # Episodes take three more rows each, for padding; they fill less than a lap.
    steps = LAPS * args.capacity
    num_actions = len(find_game(args.game).actions)
    player = ImprovingPlayer(PLAYERS[args.game], num_actions, steps, args.seed)
    record(args.game, args.out, steps=steps, capacity=args.capacity, policy=player, seed=args.seed)


if __name__ == "__main__":
    main()
