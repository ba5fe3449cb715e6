"""Background work: in order, bounded in threads, never twice at once, and not lost to an error."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from worker.concurrency.background import BackgroundPool


def test_items_are_worked_in_order_on_one_thread() -> None:
    """One thread means one item at a time, in the order of `add`."""
    done: SimpleQueue[int] = SimpleQueue()
    pool = BackgroundPool("test", done.put, threads=1, close_seconds=5)
    for number in range(50):
        pool.add(number)
    assert [done.get(timeout=30) for _ in range(50)] == list(range(50))
    pool.close()


def test_an_item_that_is_pending_is_not_added_again() -> None:
    """A duplicate message changes nothing while the first is queued or running."""
    started, release, calls = threading.Event(), threading.Event(), list[str]()

    def work(item: str) -> None:
        calls.append(item)
        started.set()
        release.wait(30)

    pool = BackgroundPool("test", work, threads=2, close_seconds=30)
    pool.add("a")
    assert started.wait(30)
    pool.add("a")
    release.set()
    pool.close()
    assert calls == ["a"]


def test_an_error_ends_neither_the_thread_nor_the_pool() -> None:
    """The next item is worked on all the same, and the one that failed may be added again."""
    done: SimpleQueue[int] = SimpleQueue()

    def work(number: int) -> None:
        done.put(number)
        if number == 0:
            raise ValueError

    pool = BackgroundPool("test", work, threads=1, close_seconds=5)
    pool.add(0)
    pool.add(1)
    assert [done.get(timeout=30), done.get(timeout=30)] == [0, 1]
    pool.add(0)
    assert done.get(timeout=30) == 0
    pool.close()


def test_concurrent_items_are_limited() -> None:
    """Three threads work on three items; the fourth waits for one of them."""
    barrier, running = threading.Barrier(4, timeout=30), SimpleQueue[int]()

    def work(number: int) -> None:
        running.put(number)
        if number < 3:
            barrier.wait()

    pool = BackgroundPool("test", work, threads=3, close_seconds=30)
    for number in range(4):
        pool.add(number)
    assert {running.get(timeout=30) for _ in range(3)} == {0, 1, 2}
    assert running.empty()
    barrier.wait()
    assert running.get(timeout=30) == 3
    pool.close()


def test_nothing_is_added_after_close() -> None:
    """A message that arrives during shutdown is dropped; its row brings it back."""
    done: SimpleQueue[int] = SimpleQueue()
    pool = BackgroundPool("test", done.put, threads=1, close_seconds=5)
    pool.close()
    pool.add(1)
    assert done.empty()
