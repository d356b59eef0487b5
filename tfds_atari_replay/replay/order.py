"""An order of indices for files that are larger than memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tfds_atari_replay.arguments import check_sizes, check_whole


class LocalShuffle:
    """Shuffles indices so that those of about the same time stay together.

    Uniformly random indices touch the whole of a file. If it is larger than memory, each of them
    waits for the disk. Here all indices are cut into stretches, whose order is random; many are
    opened together, and their indices are shuffled into batches. So a file is read a stretch at a
    time.

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

    def _epoch(self, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
        firsts = rng.permutation(np.arange(0, self._length, self._stretch))
        left = np.empty(0, np.int64)
        for start in range(0, len(firsts), self._num_open):
            # All are used up before others are opened: a few indices left of each of many stretches
            # would need as many pages of the files as all of these stretches.
            opened = firsts[start : start + self._num_open, np.newaxis] + np.arange(self._stretch)
            indices = np.concatenate([left, opened[opened < self._length]])
            rng.shuffle(indices)
            whole = len(indices) // self._batch_size * self._batch_size
            yield from indices[:whole].reshape(-1, self._batch_size)
            left = indices[whole:]
        if len(left):
            yield left
