"""As much play as wanted, with the variety of real play.

A stretch of random play is recorded and repeated. Repeated as it is, it would bring nothing new; in
real play the distinct pairs of rows of pixels grow with the number of frames N like N ** 0.76: 3.12
per frame of MsPacman after 25,000 frames, 2.04 after 200,000, 1.74 after 400,000 (1.27, 0.77 and
less in Riverraid). So each repetition changes a pixel, one of its own, in as large a share of the
distinct pairs as brings their number to this.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from players import play_randomly

from tfds_atari_replay.logs.checkpoint import ARRAY_NAMES
from tfds_atari_replay.logs.episodes import PADDING_ROWS
from tfds_atari_replay.replay.table import BYTES_PER_UNIT, UNITS_PER_FRAME, RowHash

_GROWTH = 0.76


class VariedPlay:
    """The rows of a log, as Dopamine writes them, without end."""

    def __init__(self, game: str = "MsPacman", steps: int = 200_000, seed: int = 0):
        """Records play.

        Args:
          game: its name in GAMES.
          steps: how many to record.
          seed: of the game and of the actions.
        """
        columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ARRAY_NAMES}
        for episode in play_randomly(game, "ale_py", seed, steps):
            if episode.is_complete:
                terminal = np.zeros(len(episode.frames), np.uint8)
                terminal[-1] = 1
                pad = (PADDING_ROWS, 0)
                frames = np.pad(episode.frames, (pad, (0, 0), (0, 0)))
                columns["observation"].append(frames)
                columns["action"].append(np.pad(episode.actions.astype(np.int32), pad))
                rewards = np.clip(episode.rewards, -1, 1).astype(np.float32)
                columns["reward"].append(np.pad(rewards, pad))
                columns["terminal"].append(np.pad(terminal, pad))
        self._arrays = {name: np.concatenate(parts) for name, parts in columns.items()}
        self._frames = self._arrays.pop("observation")
        self._chance = self._draw_chances()

    def __len__(self) -> int:
        """Rows until it repeats."""
        return len(self._frames)

    def rows(self, name: str, times: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Returns an array of the log at some times, of which none is negative."""
        repetition, row = np.divmod(times, len(self))
        if name != "observation":
            taken: npt.NDArray[Any] = self._arrays[name][row]
            return taken
        frames = self._frames[row]
        units = frames.reshape(len(row), -1, BYTES_PER_UNIT)
        for number in np.unique(repetition[repetition > 0]).tolist():
            share = (number + 1) ** _GROWTH - number**_GROWTH
            is_changed = (self._chance[row] < share) & (repetition == number)[:, np.newaxis]
            place, change = number % BYTES_PER_UNIT, 1 + number // BYTES_PER_UNIT
            units[..., place] ^= (is_changed * change).astype(np.uint8)
        return frames

    def _draw_chances(self) -> npt.NDArray[np.float32]:
        """Gives each distinct pair of rows a number from 0 to 1, at random; zeros have 1."""
        chances = np.empty((len(self._frames), UNITS_PER_FRAME), np.float32)
        for start in range(0, len(chances), 4096):
            hashes = RowHash(0)(self._frames[start : start + 4096].reshape(-1, BYTES_PER_UNIT))
            drawn = np.where(hashes == 0, 1.0, (hashes >> np.uint64(11)) / 2**53)
            chances[start : start + 4096] = drawn.reshape(-1, chances.shape[1])
        return chances
