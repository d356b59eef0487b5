"""A thread-pool helper for functions that release the GIL."""

from __future__ import annotations

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

NUM_THREADS = os.cpu_count() or 1


def map_ahead(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Like `map`, but runs in threads, a few items ahead of the consumer.

    At most `2 * NUM_THREADS` results wait at a time, so memory does not grow with the number of
    items. Items are drawn from their iterable in the caller's thread. Once the consumer stops, be
    it by an error or Ctrl-C, no further item is started.
    """
    waiting: collections.deque[concurrent.futures.Future[_Result]] = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(NUM_THREADS)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * NUM_THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
