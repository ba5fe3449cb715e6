"""Work batched for many callers: each gets its own result, and none waits forever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from worker.execution.batcher import (
    MAX_COLLECT_SECONDS,
    MAX_GROUP_SIZE,
    Batcher,
    collect_seconds,
)


def test_everyone_gets_the_result_of_their_own_item() -> None:
    """However the threads meet, a result belongs to its item, and each item is done once."""
    done: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        done.extend(items)
        return [item * 2 for item in items]

    double = Batcher(work)
    with ThreadPoolExecutor(50) as threads:
        assert [found.result(10) for found in threads.map(double, range(2_000))] == [item * 2 for item in range(2_000)]
    assert sorted(done) == list(range(2_000))


def test_those_who_ask_meanwhile_are_served_together() -> None:
    """While the first is at work the others gather, and the next piece of work is for all of them."""
    groups: list[list[int]] = []
    first_is_at_work, others_wait = threading.Event(), threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        groups.append(sorted(items))
        if not first_is_at_work.is_set():
            first_is_at_work.set()
            assert others_wait.wait(10)
        return list(items)

    grouped = Batcher(work)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(lambda: grouped(0).result(10))
        assert first_is_at_work.wait(10)
        others = [grouped(item) for item in range(1, 6)]
        others_wait.set()
        assert [first.result(10), *(other.result(10) for other in others)] == [0, 1, 2, 3, 4, 5]
    assert groups == [[0], [1, 2, 3, 4, 5]]


def test_an_error_reaches_every_caller_of_its_group_only() -> None:
    """What went wrong for a group is raised for each of it; the next group starts afresh."""

    def work(items: Sequence[int]) -> list[int]:
        if any(item < 0 for item in items):
            raise OSError("no such number")
        return list(items)

    grouped = Batcher(work)
    with pytest.raises(OSError, match="no such number"):
        grouped(-1).result(10)
    assert grouped(1).result(10) == 1


def test_no_group_is_larger_than_a_statement_should_be() -> None:
    """A crowd is served in pieces."""
    sizes: list[int] = []

    def work(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return list(items)

    grouped = Batcher(work)
    with ThreadPoolExecutor(MAX_GROUP_SIZE * 2) as threads:
        assert [found.result(10) for found in threads.map(grouped, range(3_000))] == list(range(3_000))
    assert max(sizes) <= MAX_GROUP_SIZE
    assert sum(sizes) == 3_000


def test_a_thread_that_asks_need_not_serve() -> None:
    """Another thread serves, and continues with requests that arrived meanwhile."""
    groups: list[list[int]] = []
    handed_over: list[Callable[[], object]] = []
    later: list[Future[int]] = []

    def work(items: Sequence[int]) -> list[int]:
        groups.append(list(items))
        if items[0] == 0:
            later.extend((grouped(1), grouped(2)))
        return list(items)

    grouped = Batcher(work, offload=handed_over.append)
    first = grouped(0)
    assert (groups, first.done()) == ([], False)
    handed_over.pop()()
    assert (groups, [found.result(10) for found in (first, *later)]) == ([[0], [1, 2]], [0, 1, 2])
    assert handed_over == []


@pytest.mark.parametrize(
    ("rate", "seconds"), [(0, 0), (1, 0), (60, 0), (100, MAX_COLLECT_SECONDS), (1_000, 0.005), (10_000, 0.0005)]
)
def test_a_group_waits_for_enough_and_not_for_few(rate: float, seconds: float) -> None:
    """With few jobs none waits; with hundreds none waits long."""
    assert collect_seconds(rate) == pytest.approx(seconds)
