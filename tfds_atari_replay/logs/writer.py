"""Writing logs as Dopamine's logger does.

Facts come from Dopamine's `OutOfGraphReplayBuffer` and batch_rl's logger around it, against which
tests compare every file.
"""

from __future__ import annotations

import gzip
import math
import os
import pathlib
import pickle
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.arguments import check_whole
from tfds_atari_replay.logs.checkpoint import ARRAY_NAMES
from tfds_atari_replay.logs.episodes import PADDING_ROWS
from tfds_atari_replay.logs.records import FRAME_SHAPE, Frames

_STACK_SIZE = PADDING_ROWS + 1
_UPDATE_HORIZON = 1
_DTYPES = {"observation": np.uint8, "action": np.int32, "reward": np.float32, "terminal": np.uint8}
_ROW_BYTES = math.prod(FRAME_SHAPE) + 4 + 4 + 1


class ReplayLogger:
    """A circular replay buffer that is dumped to disk once a lap.

    Like Dopamine's, it adds three zero rows before each episode, dumps after the row that brings
    the cursor to the last row (one row early), skips a dump where a lap ends inside that padding,
    and ends with a final dump whose `add_count` is only the cursor. Dumps are numbered in the
    order in which they are written. `add_count` comes after the arrays, so a dump that was
    interrupted lacks it and is refused.
    """

    def __init__(self, folder: pathlib.Path, capacity: int):
        """Allocates the buffer.

        Args:
          folder: where to write; created if it does not exist.
          capacity: rows in the ring; each takes 7 KB of memory.

        Raises:
          TypeError: capacity is not a whole number.
          ValueError: capacity is too small, or does not fit in this machine's memory.
        """
        capacity = check_capacity(capacity)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._store: dict[str, npt.NDArray[Any]] = {
            name: np.zeros((capacity, *(FRAME_SHAPE if name == "observation" else ())), dtype)
            for name, dtype in _DTYPES.items()
        }
        assert set(self._store) == set(ARRAY_NAMES)
        self._capacity = capacity
        self._add_count = 0
        self._episode_ends: set[int] = set()
        self._is_episode_start = True
        self.num_dumps = 0

    def add(self, observation: Frames, action: int, reward: float, terminal: bool) -> None:
        """Adds a step: an observation, the action taken there, its reward and terminal flag."""
        if self._is_episode_start:
            for _ in range(PADDING_ROWS):
                self._add_row(np.zeros(FRAME_SHAPE, np.uint8), 0, 0.0, False)
        self._is_episode_start = terminal
        self._add_row(observation, action, reward, terminal)
        if self._cursor == self._capacity - 1:
            self._dump(self._add_count)

    def fit(self) -> None:
        """Takes away the capacity that was not needed, if no lap was completed.

        The files are then those of a ring that comes to the end of its first lap with the last row.
        """
        if self._add_count < self._capacity - 1:
            self._capacity = check_capacity(max(self._add_count + 1, _STACK_SIZE + 1))
            self._store = {name: array[: self._capacity] for name, array in self._store.items()}

    def close(self) -> None:
        """Writes the last dump, which holds only the cursor instead of `add_count`.

        Readers infer from a dump's number whether the ring was full: only the first dump's may not
        be. Two cases would break that rule. If nothing followed the first lap's dump, that
        one holds everything and no other is written. If the first lap was skipped, the last dump
        is also the first, and keeps its whole `add_count`.
        """
        if self.num_dumps == 1 and self._add_count == self._capacity - 1:
            return
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
        for name, content in files.items():
            path = self._folder / f"{name}_ckpt.{self.num_dumps}.gz"
            unfinished = path.with_name(f"{path.name}.incomplete")
            # Level 9 like Dopamine's; no time stamp, so that the same play gives the same bytes.
            with unfinished.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
                if isinstance(content, np.ndarray):
                    np.save(out, content, allow_pickle=False)
                else:
                    pickle.dump(content, out)
            unfinished.rename(path)
        self.num_dumps += 1


def check_capacity(capacity: int) -> int:
    """Returns a number of rows as an int, after checking that a ring can have as many.

    Raises:
      TypeError: it is not a whole number.
      ValueError: it is too small for Dopamine, or too large for this machine.
    """
    capacity = check_whole("capacity", capacity, at_least=_STACK_SIZE + 1)
    if hasattr(os, "sysconf"):  # Windows has none.
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if capacity * _ROW_BYTES > memory:
            raise ValueError(
                f"capacity must fit into memory: {capacity:,} rows of {_ROW_BYTES:,} bytes are "
                f"{capacity * _ROW_BYTES / 1e9:,.1f} GB, this machine has {memory / 1e9:,.1f} GB"
            )
    return capacity
