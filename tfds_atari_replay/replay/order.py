"""An order of indices for files that are larger than memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.arguments import check_sizes, check_whole


class LocalShuffle:
    """Shuffles indices so that those of about the same time stay together.

    Uniformly random indices touch the whole of a file. If it is larger than memory, each of them
    waits for the disk. Here all indices are cut into stretches, whose order is random; many are
    open at a time, and batches are drawn at random among their indices. So a file is read a stretch
    at a time, at the disk's full speed.

        for indices in LocalShuffle(len(source), 256):
            batch = source[indices]

        DataLoader(source, batch_size=None, sampler=LocalShuffle(len(source), 256))

    Each iteration is an epoch, with every index once, in an order of its own. The same seed gives
    the same orders again. `len` counts batches.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        seed: int = 0,
        stretch: int = 4096,
        num_open: int = 128,
    ):
        """Prepares to shuffle.

        Args:
          length: of the source.
          batch_size: indices in a batch, at least 1; the last batch of an epoch may have fewer.
          seed: of the orders.
          stretch: consecutive indices that are opened together, at least 1.
          num_open: how many stretches' worth of indices are open at a time, at least 1.

        Raises:
          TypeError: an argument is not a whole number.
          ValueError: an argument is out of range.
        """
        self._length = check_whole("length", length, at_least=0)
        self._seed = check_whole("seed", seed, at_least=0)
        self._batch_size, self._stretch, self._num_open = check_sizes(
            batch_size=batch_size, stretch=stretch, num_open=num_open
        )
        self._epochs = itertools.count()

    def __len__(self) -> int:
        return -(-self._length // self._batch_size)

    def __iter__(self) -> Iterator[npt.NDArray[np.int64]]:
        return self._epoch(np.random.default_rng([self._seed, next(self._epochs)]))

    def _epoch(self, rng: np.random.Generator) -> Iterator[npt.NDArray[Any]]:
        firsts = rng.permutation(np.arange(0, self._length, self._stretch))
        opened = np.empty(0, np.int64)
        for first in firsts:
            stretch = np.arange(first, min(first + self._stretch, self._length))
            opened = np.concatenate([opened, stretch])
            while len(opened) >= max(self._num_open * self._stretch, self._batch_size):
                batch, opened = _draw(rng, opened, self._batch_size)
                yield batch
        while len(opened):
            batch, opened = _draw(rng, opened, min(self._batch_size, len(opened)))
            yield batch


def _draw(
    rng: np.random.Generator, indices: npt.NDArray[Any], count: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Draws some at random, and fills their gaps with the last ones. Changes `indices`."""
    places = rng.choice(len(indices), count, replace=False)
    drawn = indices[places]
    left = len(indices) - count
    is_taken = np.zeros(count, np.bool_)
    is_taken[places[places >= left] - left] = True
    indices[places[places < left]] = indices[left:][~is_taken]
    return drawn, indices[:left]
