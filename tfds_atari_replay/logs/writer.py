"""Writes logs as Dopamine's logger does.

The facts come from Dopamine's `OutOfGraphReplayBuffer` and batch_rl's logger around it. Tests
compare every file with theirs.
"""

from __future__ import annotations

import gzip
import math
import numbers
import os
import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay import progress
from tfds_atari_replay.arguments import check_whole
from tfds_atari_replay.games import ALL_ACTIONS
from tfds_atari_replay.logs.checkpoint import ARRAYS
from tfds_atari_replay.logs.episodes import PADDING_ROWS
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames

_STACK_SIZE = PADDING_ROWS + 1
_UPDATE_HORIZON = 1
_ROW_BYTES = sum(np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in ARRAYS.values())
_PUBLIC_CAPACITY = 1_000_000
_ROWS_AT_ONCE = 1024


class ReplayLogger:
    """Writes what an agent sees, does and receives as replay logs, which Dopamine can load, too.

    Give it every step of a single environment, in order:

        with ReplayLogger("LOGS/Breakout/1/replay_logs") as logger:
            observation, _ = env.reset()  # of make_env("breakout")
            for _ in range(100_000):
                action = env.action_space.sample()
                following, reward, terminated, truncated, _ = env.step(action)
                logger.add(observation, action, reward, terminated or truncated)
                observation = env.reset()[0] if terminated or truncated else following

    Steps are kept in a ring in memory. Each time the ring is full, and at the end, it is written to
    the folder as a checkpoint.
    """

    # Like Dopamine's logger, it adds three zero rows before each episode, dumps after the row that
    # brings the cursor to the last row (one row early), skips a dump where a lap ends inside that
    # padding, and ends with a final dump whose `add_count` is only the cursor. Dumps are numbered
    # as they are written. `add_count` is written after the arrays, so an interrupted dump lacks it
    # and is refused.

    def __init__(self, folder: str | os.PathLike[str], capacity: int | None = None):
        """Allocates the ring.

        Args:
          folder: where to write, `<LOGS>/<Game>/<run>/replay_logs`; created if missing.
          capacity: rows in the ring, and so in each checkpoint. A step takes a row, and the start
            of an episode three more; a row takes 7 KB of memory. By default, as many as the steps
            need, so that there is one checkpoint, but at most 1,000,000, as in the public logs, or
            what fits into half of this machine's memory.

        Raises:
          TypeError: capacity is not a whole number.
          ValueError: capacity is too small, or does not fit in this machine's memory.
          FileExistsError: the folder is not empty.
        """
        self._fits = capacity is None
        self._capacity = _default_capacity() if capacity is None else check_capacity(capacity)
        self._folder = pathlib.Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        if any(self._folder.iterdir()):
            raise FileExistsError(f"{self._folder} already holds something. Choose another folder.")
        self._store: dict[str, npt.NDArray[Any]] = {
            name: np.zeros((self._capacity, *shape), dtype)
            for name, (dtype, shape) in ARRAYS.items()
        }
        self._add_count = 0
        self._episode_ends: set[int] = set()
        self._is_episode_start = True
        self._is_closed = False
        self.num_dumps = 0

    def __enter__(self) -> ReplayLogger:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, observation: Frames, action: int, reward: float, terminal: bool) -> None:
        """Adds a step.

        Args:
          observation: uint8 (84, 84), the frame in which the action was taken.
          action: index into the game's minimal action set, 0 to 17.
          reward: the reward of the action; it is clipped to [-1, 1], as in the public logs.
          terminal: whether the action ended the episode.

        Raises:
          TypeError: the action is not a whole number, or the reward not a number.
          ValueError: a value is out of range, the observation is no frame, or the logger is closed.
        """
        if self._is_closed:
            raise ValueError(f"The logger of {self._folder} is closed, so nothing can be added.")
        frame = np.asarray(observation)
        if frame.shape != FRAME_SHAPE or frame.dtype != np.uint8:
            raise ValueError(
                f"observation must be uint8 {FRAME_SHAPE} (got {frame.dtype} {frame.shape}). If it "
                "is a stack, give the newest frame only."
            )
        action = check_whole("action", action, at_least=0, below=len(ALL_ACTIONS))
        message = f"reward must be a finite number (got {reward!r})"
        if not isinstance(reward, numbers.Real):
            raise TypeError(message)
        if not math.isfinite(reward):
            raise ValueError(message)
        if self._is_episode_start:
            for _ in range(PADDING_ROWS):
                self._add_row(np.zeros(FRAME_SHAPE, np.uint8), 0, 0.0, False)
        self._is_episode_start = bool(terminal)
        self._add_row(frame, action, min(max(reward, -1.0), 1.0), bool(terminal))
        if self._cursor == self._capacity - 1:
            self._dump(self._add_count)

    def close(self) -> None:
        """Writes the last checkpoint if any step was added. Nothing can be added afterwards."""
        if self._is_closed:
            return
        self._is_closed = True
        # The last dump stores only the cursor as `add_count`. Readers infer from a dump's number
        # whether the ring was full: only the first dump's may not be. Two cases would break that
        # rule. If nothing followed the first lap's dump, that one holds everything and no other is
        # written. If the first lap was skipped, the last dump is also the first, and keeps its
        # full `add_count`.
        if not self._add_count or (self.num_dumps == 1 and self._add_count == self._capacity - 1):
            return
        if self._fits and self._add_count < self._capacity - 1:
            # Shrinks to a ring whose first lap ends with the last row.
            self._capacity = check_capacity(max(self._add_count + 1, _STACK_SIZE + 1))
            self._store = {name: array[: self._capacity] for name, array in self._store.items()}
        self._dump(self._cursor if self.num_dumps else self._add_count)

    @property
    def _cursor(self) -> int:
        return self._add_count % self._capacity

    def _add_row(self, observation: Frames, action: int, reward: float, terminal: bool) -> None:
        row = self._cursor
        self._store["observation"][row] = observation
        self._store["action"][row] = action
        self._store["reward"][row] = reward
        self._store["terminal"][row] = terminal
        (self._episode_ends.add if terminal else self._episode_ends.discard)(row)
        self._add_count += 1

    def _dump(self, add_count: int) -> None:
        around_cursor = np.arange(-_UPDATE_HORIZON, _STACK_SIZE)
        files: dict[str, Any] = {
            **{f"$store$_{name}": array for name, array in self._store.items()},
            "add_count": np.array(add_count),
            "invalid_range": (self._cursor + around_cursor) % self._capacity,
            # Dopamine has required this file since 2020. Never unpickle it yourself.
            "episode_end_indices": self._episode_ends,
        }
        rows = sum(len(array) for array in self._store.values())
        title = f"Writing checkpoint {self.num_dumps}"
        with progress.bar(total=rows, desc=title, unit=" rows", leave=False) as bar:
            for name, content in files.items():
                path = self._folder / f"{name}_ckpt.{self.num_dumps}.gz"
                unfinished = path.with_name(f"{path.name}.incomplete")
                # Level 9 as Dopamine's; no time stamp, so that equal play gives equal bytes.
                with (
                    unfinished.open("wb") as file,
                    gzip.GzipFile("", "wb", 9, file, mtime=0) as out,
                ):
                    if name.startswith("$store$"):
                        _save(out, content, bar.update)
                    elif isinstance(content, np.ndarray):
                        np.save(out, content, allow_pickle=False)
                    else:
                        pickle.dump(content, out)
                unfinished.rename(path)
        self.num_dumps += 1


def _save(out: Any, array: npt.NDArray[Any], when_written: Callable[[int], object]) -> None:
    """Writes the bytes that `np.save` would, some rows at a time."""
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(out, header)
    for start in range(0, len(array), _ROWS_AT_ONCE):
        rows = array[start : start + _ROWS_AT_ONCE]
        out.write(rows.tobytes())
        when_written(len(rows))


def check_capacity(capacity: int) -> int:
    """Returns the capacity of a ring as an int, after checking it.

    Raises:
      TypeError: it is not a whole number.
      ValueError: it is too small for Dopamine, or too large for this machine.
    """
    capacity = check_whole("capacity", capacity, at_least=_STACK_SIZE + 1)
    memory = _memory()
    if memory is not None and capacity * _ROW_BYTES > memory:
        raise ValueError(
            f"capacity must fit into memory: {capacity:,} rows of {_ROW_BYTES:,} bytes are "
            f"{capacity * _ROW_BYTES / 1e9:,.1f} GB, this machine has {memory / 1e9:,.1f} GB"
        )
    return capacity


def _default_capacity() -> int:
    memory = _memory()
    return _PUBLIC_CAPACITY if memory is None else min(_PUBLIC_CAPACITY, memory // 2 // _ROW_BYTES)


def _memory() -> int | None:
    """Returns this machine's memory in bytes; None on Windows, which has no `sysconf`."""
    if not hasattr(os, "sysconf"):
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
