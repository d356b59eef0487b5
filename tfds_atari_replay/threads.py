"""Thread pools for functions that release the GIL."""

from __future__ import annotations

import collections
import concurrent.futures
import functools
import itertools
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# Not os.cpu_count(): on a shared machine a process may have been given fewer.
NUM_THREADS = (
    len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
)


def map_ahead(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Like `map`, but runs in threads, a few items ahead of the consumer.

    At most `2 * NUM_THREADS` results wait at a time, so memory does not grow with the number of
    items. Items are drawn from their iterable in the caller's thread. Once the consumer stops, be
    it by an error or Ctrl-C, no further item is started. A function that calls this again has its
    own items one after the other.
    """
    if _thread.is_in_pool:  # All threads might wait for each other.
        yield from map(function, items)
        return
    waiting: collections.deque[concurrent.futures.Future[_Result]] = collections.deque()
    try:
        for item in items:
            waiting.append(_pool().submit(function, item))
            if len(waiting) > 2 * NUM_THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        concurrent.futures.wait(waiting)


def start_each(
    function: Callable[[_Item], _Result], items: Iterable[_Item]
) -> list[concurrent.futures.Future[_Result]]:
    """Like `map_ahead`, but does not wait for the last results; not for what runs in these threads.

    Returns:
      The results of all items, of which the last `2 * NUM_THREADS` may be unfinished. Their errors
      are raised when they are asked for.
    """
    started: list[concurrent.futures.Future[_Result]] = []
    for item in items:
        started.append(_pool().submit(function, item))
        if len(started) > 2 * NUM_THREADS:
            started[-1 - 2 * NUM_THREADS].exception()  # waits for it
    return started


def one_late(items: Iterable[_Item]) -> Iterator[_Item]:
    """Yields each item once the next one is made, so that what it started goes on meanwhile."""
    waiting: list[_Item] = []
    for item in items:
        yield from waiting
        waiting = [item]
    yield from waiting


def run_ahead(items: Iterator[_Item], count: int) -> Generator[_Item, None, None]:
    """Yields the items of an iterator that runs in a thread of its own, up to `count` ahead.

    Its errors are raised where the item would have come. Close this generator, or use it up: the
    thread ends with it.
    """
    end: Any = object()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = collections.deque(pool.submit(next, items, end) for _ in range(count))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, items, end))
                yield item
        finally:
            for future in waiting:
                future.cancel()


def map_slices(function: Callable[[slice], object], length: int, handover: int) -> None:
    """Cuts a range into a slice per thread, and calls a function with each of them.

    Args:
      function: what to call; the first slice runs in the caller's thread.
      length: of the range.
      handover: items processed in the time one hand-over to a thread takes. The first slice is
        longer by this much, so that all end at the same time, and no other slice is shorter.
    """
    shared = max(0, length - handover)
    parts = max(1, min(NUM_THREADS, shared // handover))
    stops = [length - shared + shared * number // parts for number in range(1, parts + 1)]
    running = [_pool().submit(function, slice(*ends)) for ends in itertools.pairwise(stops)]
    function(slice(0, stops[0]))
    for future in running:
        future.result()


class _Thread(threading.local):
    is_in_pool = False


_thread = _Thread()


# One for all: starting threads for every episode costs a fifth of a build's processor time.
@functools.cache
def _pool() -> concurrent.futures.ThreadPoolExecutor:
    def start() -> None:
        _thread.is_in_pool = True

    return concurrent.futures.ThreadPoolExecutor(NUM_THREADS, initializer=start)


# A forked process inherits the pool, but not its threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
