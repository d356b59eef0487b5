"""What runs in threads, and how it is cut into slices."""

import concurrent.futures
import gc
import threading
import time
from collections.abc import Iterator

import pytest

from tfds_atari_replay import threads


def test_an_interrupt_does_not_wait_for_what_has_not_begun() -> None:
    """Ctrl-C comes between two results, with a thousand more requested and a few begun."""
    begun = []

    def slow(item: int) -> int:
        begun.append(item)
        time.sleep(0.2)
        return item

    results = threads.map_ahead(slow, range(1000))
    assert next(results) == 0
    before = len(begun)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    time.sleep(0.5)
    assert len(begun) == before < 2 * threads.NUM_THREADS + 2


def test_what_runs_in_threads_may_ask_for_threads() -> None:
    """More tasks than threads, from several callers, do not wait for each other."""

    def nested(item: int) -> list[int]:
        return list(threads.map_ahead(lambda inner: 10 * item + inner, range(3)))

    expected = [[10 * item + inner for inner in range(3)] for item in range(50)]
    with concurrent.futures.ThreadPoolExecutor(4) as callers:
        futures = [
            callers.submit(lambda: list(threads.map_ahead(nested, range(50)))) for _ in range(4)
        ]
        assert [future.result(timeout=60) for future in futures] == [expected] * 4


@pytest.mark.parametrize("length", [0, 1, 10, 25, 29, 30, 31, 50, 51, 1000])
@pytest.mark.parametrize("num_threads", [1, 2, 3, 8])
def test_slices_cover_a_range_once(
    num_threads: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is longer by a handover, up to rounding; no other is shorter than a handover."""
    monkeypatch.setattr(threads, "NUM_THREADS", num_threads)
    found: list[slice] = []
    threads.map_slices(found.append, length, handover=10)
    first, *others = sorted(found, key=lambda part: part.start)
    stops = [part.stop for part in (first, *others)]
    assert [first.start, *(part.start for part in others)] == [0, *stops[:-1]]
    assert stops[-1] == length
    lengths = [part.stop - part.start for part in others]
    assert all(10 <= other < first.stop - 8 for other in lengths)
    assert len(lengths) + 1 == max(1, min(num_threads, length // 10 - 1))


def test_running_ahead() -> None:
    """Items come in order, at most so far ahead; an error comes in its item's place."""
    begun = []

    def items() -> Iterator[int]:
        for item in range(10):
            begun.append(item)
            if item == 7:
                raise ValueError("seven")
            yield item

    ahead = threads.run_ahead(items(), 3)
    assert begun == []
    assert next(ahead) == 0
    time.sleep(0.2)
    assert begun == [0, 1, 2, 3]
    assert [next(ahead) for _ in range(6)] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(ValueError, match="seven"):
        next(ahead)
    assert list(threads.run_ahead(iter(range(100)), 7)) == list(range(100))


def test_running_ahead_ends_with_its_user() -> None:
    closed = []

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    before = threading.active_count()
    ahead = threads.run_ahead(items(), 3)
    assert next(ahead) == 0
    del ahead
    gc.collect()
    assert closed == [True]
    assert threading.active_count() == before


def test_started_work_is_waited_for() -> None:
    """All results come in order; few are unfinished while items are drawn."""
    finished = []

    def work(item: int) -> int:
        time.sleep(0.01)
        finished.append(item)
        if item == 11:
            raise ValueError("eleven")
        return item

    def items() -> Iterator[int]:
        for item in range(30):
            assert item - len(finished) <= 2 * threads.NUM_THREADS + 1
            yield item

    started = threads.start_each(work, items())
    assert [future.result() for future in started[:11]] == list(range(11))
    with pytest.raises(ValueError, match="eleven"):
        started[11].result()
    assert [future.result() for future in started[12:]] == list(range(12, 30))


def test_one_late() -> None:
    """Each item comes once the next one is made."""
    made = []

    def items() -> Iterator[int]:
        for item in range(3):
            made.append(item)
            yield item

    late = threads.one_late(items())
    assert (next(late), made) == (0, [0, 1])
    assert (next(late), made) == (1, [0, 1, 2])
    assert list(late) == [2]
