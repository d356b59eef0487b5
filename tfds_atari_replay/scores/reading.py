"""Reads the score off frames of 84x84 pixels, exactly or not at all.

Each digit has a cell: pixels that depend on this digit alone. A cell's bytes are looked up among
those that known digits have shown. If the colours are new, the digit is recognized by its shape: a
pixel is `ground + coverage * contrast`, rounded. How far each digit covers each pixel is known;
ground and contrast must be the same for all digits.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.games import Game, find_game
from tfds_atari_replay.scores.facts import FACTS, Facts

BLANK = 10
"""The symbol of a cell without a digit, above the highest digit."""

_DATA = pathlib.Path(__file__).with_name("digits.npz")

Array = npt.NDArray[Any]


class Cell(NamedTuple):
    """The pixels of one digit.

    Attributes:
      weight: the points that a 1 in this digit stands for.
      pixels: int64 (P,), the indices of the pixels, among the frame's 7,056.
      symbols: 0 to 9, or BLANK, by the bytes of the pixels.
      coverage: float64 (10, P), how far each digit covers each pixel; without rows if shapes must
        not be used.
    """

    weight: int
    pixels: Array
    symbols: dict[bytes, int]
    coverage: Array


def read_scores(frames: npt.NDArray[np.uint8], game: str) -> npt.NDArray[np.float64]:
    """Reads the score that frames show.

    A frame is the maximum of two screens, so the first one after a change may show the old score or
    a mixture of the two, which can look like a third score. Do not rely on it, nor on the second
    one in Qbert. On later frames no reading was found to be wrong (docs/scores.md).

    Example:
      ```python
      env = tfds_atari_replay.make_env("breakout")
      frame, _ = env.reset(seed=0)
      tfds_atari_replay.read_scores(frame[np.newaxis], "breakout")  # [0.]
      ```

    Args:
      frames: uint8 (N, 84, 84), as Dopamine's preprocessing makes them from the ROMs on which the
        logs were recorded (docs/environments.md).
      game: any spelling of its name.

    Returns:
      float64 (N,), NaN where the score is hidden or cannot be read for certain. In Enduro it is
      minus the number of cars to pass; in Boxing, the difference of the two scores.

    Raises:
      TypeError: `game` is not a string, or `frames` is not a NumPy array.
      ValueError: there is no such game, its score cannot be read, or the frames have a different
        shape or dtype.
    """
    found = find_game(game)
    if not isinstance(frames, np.ndarray):
        raise TypeError(f"frames must be a NumPy array, got {type(frames).__name__}.")
    if frames.dtype != np.uint8 or frames.ndim != 3 or frames.shape[1:] != (84, 84):
        raise ValueError(
            f"frames must be uint8 (N, 84, 84), got {frames.dtype} {frames.shape}. For stacks, "
            "give their newest frames."
        )
    facts = FACTS[found.rom]
    if facts.clipped_is_true:
        raise ValueError(
            f"Scores of {found.name} are not read: its true rewards are the clipped ones."
        )
    if facts.why_not:
        raise ValueError(f"Scores of {found.name} cannot be read: {facts.why_not}.")
    return ScoreReader.of(found).read(frames)


class ScoreReader:
    """Reads the scores of one game; looks at each distinct picture once."""

    @classmethod
    def of(cls, game: Game) -> ScoreReader:
        """Makes the reader of a game whose score can be read."""
        return cls(FACTS[game.rom], load_cells(game.rom))

    def __init__(self, facts: Facts, cells: Sequence[Cell]):
        self._facts = facts
        self._cells = cells
        rows, columns = np.divmod(np.concatenate([cell.pixels for cell in self._cells]), 84)
        # Columns are cut in fours, since `read_rows` compares words of four bytes.
        top, left, right = rows.min(), columns.min() // 4 * 4, columns.max() // 4 * 4 + 4
        self._area = np.s_[:, top : rows.max() + 1, left:right]
        self._pixels = (rows - top) * (right - left) + columns - left
        self._seen: dict[bytes, float] = {}

    def cut(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Copies the part of frames (N, 84, 84) that shows the score: uint8 (N, bytes)."""
        area = frames[self._area].copy()  # a view would keep whole frames in memory
        return area.reshape(len(area), area.shape[1] * area.shape[2])

    def read(self, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Reads uint8 (N, 84, 84) to float64 (N,), NaN where unknown."""
        return self.read_rows(self.cut(frames))

    def read_rows(self, rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Reads what `cut` returns, joined if need be, to float64 (N,), NaN where unknown."""
        if not len(rows):
            return np.zeros(0)
        # Most frames show the same score as the one before.
        words = np.ascontiguousarray(rows).view(np.uint32)
        stops = np.unique(np.flatnonzero(words[1:] != words[:-1]) // words.shape[1]) + 1
        starts = np.concatenate([[0], stops])
        changed = rows[starts[:, np.newaxis], self._pixels]
        keys = [picture.tobytes() for picture in changed]
        unseen = {key: row for row, key in enumerate(keys) if key not in self._seen}
        if unseen:
            read = self._read_pictures(changed[list(unseen.values())])
            self._seen.update(zip(unseen, read.tolist(), strict=True))
        readings = np.empty(len(rows))
        for start, stop, key in zip(
            starts.tolist(), [*stops.tolist(), len(rows)], keys, strict=True
        ):
            readings[start:stop] = self._seen[key]
        return readings

    def _read_pictures(self, pictures: Array) -> Array:
        """Reads distinct pictures, uint8 (N, pixels of all cells)."""
        cuts = np.cumsum([len(cell.pixels) for cell in self._cells])[:-1]
        parts = np.split(pictures, cuts, axis=1)
        symbols = np.stack(
            [
                [cell.symbols.get(row.tobytes(), -1) for row in np.ascontiguousarray(part)]
                for cell, part in zip(self._cells, parts, strict=True)
            ],
            axis=1,
        )
        scores = self._to_scores(symbols)
        unread = np.flatnonzero(np.isnan(scores))
        if len(unread) and all(len(cell.coverage) for cell in self._cells):
            symbols = self._by_shape([part[unread] for part in parts])
            scores[unread] = self._to_scores(symbols)
        # All cells are flat on a black screen, or while the score is hidden.
        shows_nothing = np.all([np.ptp(part, axis=1) == 0 for part in parts], axis=0)
        return np.where(shows_nothing, np.nan, scores)

    def _to_scores(self, symbols: Array) -> Array:
        """Turns symbols (N, cells), -1 where unknown, into scores (N,), NaN where unknown."""
        weights = np.array([cell.weight for cell in self._cells])
        is_blank = symbols == BLANK
        is_known = (symbols >= 0).all(axis=1) & ~is_blank.all(axis=1)
        # A number has no digit above a blank, and its lowest digit is not blank.
        continues = weights[1:] == 10 * weights[:-1]
        is_known &= ~(is_blank[:, :-1] & ~is_blank[:, 1:])[:, continues].any(axis=1)
        is_lowest = np.append(True, ~continues) & (abs(weights) == self._facts.unit)
        is_known &= ~is_blank[:, is_lowest].any(axis=1)
        scores: Array = np.where(is_blank, 0, symbols) @ weights.astype(np.float64)
        is_known &= scores % self._facts.divisor == 0
        return np.where(is_known, scores, np.nan)

    def _by_shape(self, parts: list[Array]) -> Array:
        """Finds digits by their shapes, whatever their colours: symbols (N, cells)."""
        matches = [_match(cell, part) for cell, part in zip(self._cells, parts, strict=True)]
        symbols, ground, contrast = (
            np.stack(arrays, axis=1) for arrays in zip(*matches, strict=True)
        )
        # All digits must have the colours of the first one that is shown.
        first = np.argmax(symbols >= 0, axis=1)[:, np.newaxis]
        own_ground = np.take_along_axis(ground, first, axis=1)
        own_contrast = np.take_along_axis(contrast, first, axis=1)
        is_ground_same = abs(ground - own_ground) <= 2.5 + 0.03 * abs(own_ground)
        is_contrast_same = abs(contrast - own_contrast) <= 2 + 0.06 * abs(own_contrast)
        is_flat = np.stack([np.ptp(part, axis=1) <= 2 for part in parts], axis=1)
        level = np.stack([part.mean(axis=1) for part in parts], axis=1)
        is_level_same = abs(level - own_ground) <= 2.5 + 0.03 * abs(own_ground)
        is_blank = is_flat & is_level_same & (not self._facts.has_leading_zeros)
        is_digit = (symbols >= 0) & is_ground_same & is_contrast_same
        return np.where(is_digit, symbols, np.where(is_blank, BLANK, -1))


def _match(cell: Cell, pixels: Array) -> tuple[Array, Array, Array]:
    """Fits each digit's shape to cells, by least squares.

    Args:
      cell: the cell.
      pixels: uint8 (N, P).

    Returns:
      The digit that fits, -1 if none does or two do; its ground; its contrast; each (N,).
    """
    level = pixels.mean(axis=1, keepdims=True)
    shape_level = cell.coverage.mean(axis=1)
    shapes = cell.coverage - shape_level[:, np.newaxis]
    contrasts = (pixels - level) @ shapes.T / np.maximum((shapes**2).sum(axis=1), 1e-9)
    residuals = (pixels - level)[:, np.newaxis] - contrasts[..., np.newaxis] * shapes
    errors = np.sqrt((residuals**2).mean(axis=2))
    best, second = np.argsort(errors, axis=1)[:, :2].T
    row = np.arange(len(pixels))
    contrast = contrasts[row, best]
    largest = abs(residuals[row, best]).max(axis=1)
    # Pixels are rounded, and a frame may be the maximum of two screens.
    fits = (largest <= 1.2 + 0.03 * abs(contrast)) & (abs(contrast) >= 8)
    fits &= errors[row, second] >= 1.7 * errors[row, best] + 0.3
    ground = level[:, 0] - contrast * shape_level[best]
    return np.where(fits, best, -1), ground, contrast


@functools.cache
def load_cells(rom: str) -> tuple[Cell, ...]:
    """Loads a game's cells, ones first."""
    # Opened first: np.load may not take a path in TFDS's tests of builders.
    with _DATA.open("rb") as file, np.load(file) as data:
        return to_cells({name: data[f"{rom}/{name}"] for name in _ARRAYS})


_ARRAYS = ("weights", "sizes", "pixels", "counts", "keys", "symbols", "coverage")


def to_cells(arrays: Mapping[str, Array]) -> tuple[Cell, ...]:
    """Splits arrays into C cells.

    Args:
      arrays: `weights`, int64 (C,); `sizes`, int64 (C,), how many pixels each cell has; `pixels`,
        uint16 (sum of sizes,); `counts`, int64 (C,), how many keys each cell has; `keys`, uint8,
        the known bytes of all cells, one after the other; `symbols`, int8 (sum of counts,), what
        each key shows; `coverage`, uint8 (10 or 0, sum of sizes), 255 for a pixel wholly covered.
    """
    weights, sizes, pixels, counts, keys, symbols, coverage = (arrays[name] for name in _ARRAYS)
    cells = []
    for weight, size, count in zip(weights, sizes, counts, strict=True):
        own_keys, keys = np.split(keys, [size * count])
        own_pixels, pixels = np.split(pixels, [size])
        own_symbols, symbols = np.split(symbols, [count])
        own_coverage, coverage = np.split(coverage, [size], axis=1)
        shown = map(bytes, own_keys.reshape(count, size))
        known = dict(zip(shown, own_symbols.tolist(), strict=True))
        cells.append(Cell(int(weight), own_pixels.astype(np.int64), known, own_coverage / 255))
    return tuple(cells)
