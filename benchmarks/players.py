"""Policies that play well enough to record more than a game's first seconds, and random play."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.envs.emulators import find_emulator
from tfds_atari_replay.envs.roms import find_rom
from tfds_atari_replay.games import GAMES

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


class Episode(NamedTuple):
    """What was played: frames (T, 84, 84), actions (T,), true rewards (T,), whether it ended."""

    frames: npt.NDArray[np.uint8]
    actions: npt.NDArray[np.int64]
    rewards: npt.NDArray[np.float64]
    is_complete: bool


_HELD = {"Enduro": "FIRE", "Freeway": "UP"}
"""The action without which a game brings no reward."""


def play_randomly(
    game: str, emulator: str, seed: int, steps: int, *, roms: str = "legacy"
) -> list[Episode]:
    """Plays a game, given by its name in GAMES, with uniformly random actions.

    Games of `_HELD` are played with that action nine times in ten.
    """
    found = GAMES[game]
    rng = np.random.default_rng(seed)
    played = find_emulator(emulator)(found, seed=seed, rom=find_rom(found, roms))
    episodes = []
    while steps:
        frames, actions, rewards, frame, is_over = [], [], [], played.reset(), False
        while steps and not is_over:
            frames.append(frame)
            is_held = game in _HELD and rng.random() < 0.9
            held = found.actions.index(_HELD[game]) if is_held else None
            actions.append(int(rng.integers(len(found.actions))) if held is None else held)
            frame, reward, is_over = played.step(actions[-1])
            rewards.append(reward)
            steps -= 1
        episodes.append(Episode(np.stack(frames), np.array(actions), np.array(rewards), is_over))
    return episodes


_FUTURES, _AHEAD, _TAKEN = 8, 24, 12


def play_by_search(game: str, seed: int, steps: int) -> list[Episode]:
    """Plays better than at random, in ale-py on the logs' ROM.

    From the state it has reached it looks at 8 random futures of 24 steps, and plays the first 12
    steps of the one that scores most.
    """
    found = GAMES[game]
    rng = np.random.default_rng(seed)
    played = find_emulator("ale_py")(found, seed=seed, rom=find_rom(found, "legacy"))
    ale = played._ale
    episodes = []
    while steps:
        frames, taken, rewards, frame, is_over = [], [], [], played.reset(), False
        while steps and not is_over:
            state, screens = ale.cloneState(include_rng=True), played._screens.copy()
            best, most = None, -np.inf
            for _ in range(_FUTURES):
                actions, scored = rng.integers(len(found.actions), size=_AHEAD), 0.0
                for action in actions.tolist():
                    _, reward, ends = played.step(action)
                    scored += reward
                    if ends:
                        scored -= 0.5  # of two equal futures, the one that goes on
                        break
                ale.restoreState(state)
                if scored > most:
                    best, most = actions, scored
            assert best is not None
            played._screens[:] = screens
            for action in best[:_TAKEN].tolist():
                frames.append(frame)
                taken.append(action)
                frame, reward, is_over = played.step(action)
                rewards.append(reward)
                steps -= 1
                if is_over or not steps:
                    break
        episodes.append(Episode(np.stack(frames), np.array(taken), np.array(rewards), is_over))
    return episodes
