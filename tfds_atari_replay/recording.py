"""Recording replay logs: plays a game and writes what Dopamine's logger would.

The public bucket of the logs is closed, so this is how people get logs of their own.
"""

from __future__ import annotations

import gzip
import logging
import os
import pathlib
import pickle
import shutil
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import tqdm

from tfds_atari_replay import games
from tfds_atari_replay.envs import emulator as emulator_lib

STACK_SIZE = 4
_UPDATE_HORIZON = 1
_ROW_BYTES = 84 * 84 + 4 + 4 + 1

_logger = logging.getLogger(__name__)

Policy = Callable[[npt.NDArray[np.uint8]], npt.ArrayLike]
"""Takes stacked observations, uint8 (batch, 4, 84, 84), oldest frame first; gives an action index
for each, integers (batch,)."""


class ReplayLogger:
    """A circular replay buffer that is dumped to disk once a lap.

    It does what Dopamine's `OutOfGraphReplayBuffer` and batch_rl's logger around it do, and so
    writes their files: three zero rows before each episode; a dump after the row that brings the
    cursor to the last row, one early; none where a lap ends inside that padding; a last dump, of
    which `add_count` is only the cursor. The dumps are numbered in the order they are written.
    """

    def __init__(self, folder: pathlib.Path, capacity: int):
        """Makes the buffer.

        Args:
          folder: `replay_logs` of a run; is made.
          capacity: rows of the ring; each takes 7 KB of memory.

        Raises:
          ValueError: capacity is too small, or more than this machine's memory.
        """
        _check_capacity(capacity)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._store: dict[str, npt.NDArray[Any]] = {
            "observation": np.zeros((capacity, 84, 84), np.uint8),
            "action": np.zeros(capacity, np.int32),
            "reward": np.zeros(capacity, np.float32),
            "terminal": np.zeros(capacity, np.uint8),
        }
        self._capacity = capacity
        self._add_count = 0
        self._episode_ends: set[int] = set()
        self._is_episode_start = True
        self.num_dumps = 0

    def add(
        self, observation: npt.NDArray[np.uint8], action: int, reward: float, terminal: bool
    ) -> None:
        """Adds a step: the action taken at the observation and what came of it."""
        if self._is_episode_start:
            for _ in range(STACK_SIZE - 1):
                self._add_row(np.zeros((84, 84), np.uint8), 0, 0.0, False)
        self._is_episode_start = terminal
        self._add_row(observation, action, reward, terminal)
        if self._cursor == self._capacity - 1:
            self._dump(self._add_count)

    def close(self) -> None:
        """Writes the last dump, of which Dopamine's logger tells only the cursor.

        A reader knows by its number whether the ring was full then: all but the first dump are of
        a full ring. In two cases that would be wrong. If nothing came after the first lap's dump,
        that holds all there is, and no other is written. If the first lap was not dumped, the
        first dump is the last, and its add_count is not cut to the cursor.
        """
        if self.num_dumps == 1 and self._add_count == self._capacity - 1:
            return
        is_first = self.num_dumps == 0
        self._dump(self._add_count if is_first else self._cursor)

    @property
    def _cursor(self) -> int:
        return self._add_count % self._capacity

    def _add_row(
        self, observation: npt.NDArray[np.uint8], action: int, reward: float, terminal: bool
    ) -> None:
        row = self._cursor
        self._store["observation"][row] = observation
        self._store["action"][row] = action
        self._store["reward"][row] = reward
        self._store["terminal"][row] = terminal
        (self._episode_ends.add if terminal else self._episode_ends.discard)(row)
        self._add_count += 1

    def _dump(self, add_count: int) -> None:
        around_cursor = np.arange(-_UPDATE_HORIZON, STACK_SIZE)
        files: dict[str, Any] = {
            **{f"$store$_{name}": array for name, array in self._store.items()},
            "add_count": np.array(add_count),
            "invalid_range": (self._cursor + around_cursor) % self._capacity,
            # Dopamine since 2020 asks for it when it loads; nobody else should unpickle it.
            "episode_end_indices": self._episode_ends,
        }
        for name, content in files.items():
            path = self._folder / f"{name}_ckpt.{self.num_dumps}.gz"
            unfinished = path.with_name(path.name + ".incomplete")
            # Level 9 as Dopamine's; no time stamp, so that the same play gives the same bytes.
            with unfinished.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
                if isinstance(content, np.ndarray):
                    np.save(out, content, allow_pickle=False)
                else:
                    pickle.dump(content, out)
            unfinished.rename(path)
        self.num_dumps += 1


def record(
    game: str,
    out: pathlib.Path | str,
    *,
    steps: int,
    capacity: int = 1_000_000,
    policy: Policy | None = None,
    run: int = 1,
    seed: int = 0,
) -> pathlib.Path:
    """Plays a game in ale-py's emulator and writes the run's replay logs.

    Sticky actions and Dopamine's preprocessing (see `envs.emulator.Emulator`); rewards are clipped
    to [-1, 1] in the logs, and an episode is cut, with terminal set, after 27,000 steps. The ROM is
    ale-py's. The same arguments give the same files.

    Args:
      game: any spelling of its name.
      out: a folder; the logs go to `<out>/<Game>/<run>/replay_logs`.
      steps: agent steps to play.
      capacity: rows of the replay buffer, so of each checkpoint; a row takes 7 KB of memory.
      policy: gives the actions; by default uniformly random ones.
      run: number of the run.
      seed: of the emulator and the random policy.

    Returns:
      The folder of the logs. Until they are whole, it is called `replay_logs.incomplete-...`, and
      what an interruption leaves there keeps that name.

    Raises:
      ValueError: unknown game; steps, capacity, run or seed out of range; no policy, or an action
        that the game has not.
      FileExistsError: there is something in the folder already.
    """
    found = games.find_game(game)
    _check_arguments(steps, capacity, policy, run, seed)
    policy = policy or RandomPolicy(len(found.actions), seed)
    folder = pathlib.Path(out) / found.name / str(run) / "replay_logs"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(
            f"{folder} holds logs already. Record into another folder or delete them."
        )
    unfinished = folder.with_name(f"{folder.name}.incomplete-{uuid.uuid4().hex[:8]}")
    logger = ReplayLogger(unfinished, capacity)
    try:
        emulator = emulator_lib.Emulator(found, seed=seed)
        bar = tqdm.trange(steps, desc=f"Recording {found.name} run {run}", unit=" steps")
        _play(emulator, policy, logger, bar)
        logger.close()
    except BaseException:
        if logger.num_dumps:
            _logger.warning("Not all was recorded. What was is left in %s.", unfinished)
        else:
            shutil.rmtree(unfinished)
        raise
    try:
        unfinished.rename(folder)
    except OSError as error:
        raise FileExistsError(
            f"{folder} was written meanwhile. The logs recorded here are whole too: {unfinished}"
        ) from error
    return folder


def _check_arguments(steps: int, capacity: int, policy: Policy | None, run: int, seed: int) -> None:
    _check_capacity(capacity)
    for name, value, least in (("steps", steps, 1), ("run", run, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name} must be at least {least} (got {value})")
    if seed >= 2**31:
        raise ValueError(f"seed must be below 2**31, as the emulator takes it (got {seed})")
    if policy is not None and not callable(policy):
        raise ValueError(
            "policy must be a callable from observations, uint8 (1, 4, 84, 84), to actions, "
            f"integers (1,) (got {policy!r})"
        )


def _check_capacity(capacity: int) -> None:
    if capacity <= STACK_SIZE:
        raise ValueError(f"capacity must be above the stack size {STACK_SIZE} (got {capacity})")
    if hasattr(os, "sysconf"):  # not on Windows
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if capacity * _ROW_BYTES > memory:
            raise ValueError(
                f"capacity must fit into memory: {capacity:,} rows of {_ROW_BYTES:,} bytes are "
                f"{capacity * _ROW_BYTES / 1e9:,.1f} GB, this machine has {memory / 1e9:,.1f} GB"
            )


def _play(
    emulator: emulator_lib.Emulator, policy: Policy, logger: ReplayLogger, steps: Iterable[int]
) -> None:
    stack = np.zeros((STACK_SIZE, 84, 84), np.uint8)
    stack[-1] = emulator.reset()
    episode_steps = 0
    for _ in steps:
        action = _action_of(policy, stack, len(emulator.game.actions))
        observation, reward, game_over = emulator.step(action)
        episode_steps += 1
        terminal = game_over or episode_steps == emulator_lib.MAX_STEPS
        logger.add(stack[-1], action, min(max(reward, -1.0), 1.0), terminal)
        if terminal:
            stack[:] = 0
            observation = emulator.reset()
            episode_steps = 0
        stack = np.concatenate([stack[1:], observation[np.newaxis]])


class RandomPolicy:
    """Takes each of a game's actions equally often."""

    def __init__(self, num_actions: int, seed: int):
        self._num_actions = num_actions
        self._rng = np.random.default_rng(seed)

    def __call__(self, observations: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        return self._rng.integers(self._num_actions, size=len(observations))


def _action_of(policy: Policy, stack: npt.NDArray[np.uint8], num_actions: int) -> int:
    actions = np.asarray(policy(stack[np.newaxis]))
    if actions.shape != (1,) or actions.dtype.kind not in "iu":
        raise ValueError(
            "The policy must give one integer action per observation: for uint8 (1, 4, 84, 84) "
            f"integers (1,), got {actions.dtype} {actions.shape}."
        )
    action = int(actions[0])
    if not 0 <= action < num_actions:
        raise ValueError(f"The policy's action must be 0 to {num_actions - 1}, got {action}.")
    return action
