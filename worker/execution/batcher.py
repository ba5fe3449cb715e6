"""Batches work that many attempts request at the same time into one transaction.

The first item runs at once. Items that arrive meanwhile run together as the next group. At high rates a group may
wait a
moment to collect more items: one transaction for ten is much cheaper than ten.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

from worker.store.writing.groups import carried_out

MAX_GROUP_SIZE: Final = 200
MAX_COLLECT_SECONDS: Final = 0.04
FEW: Final = 2.5
"""A group expected to collect no more than this isn't worth the wait."""
ENOUGH: Final = 5.0
"""A larger group costs nearly as much per item."""
OF_THE_LAST: Final = 0.3
"""Weight of the last group in the moving average of the rate."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Offload = Callable[[Callable[[], object]], object]
"""Runs work on another thread."""


class Batcher(Generic[Item, Result]):
    """A function of one item, executed by a function of many."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        collects: bool = False,
        offload: Offload | None = None,
    ) -> None:
        """`work` returns one result per item, in order. Its exception is raised for every item of the group, or for
        one
        item alone if a value of that item caused it (`worker.store.writing.groups`).

        `collects` pays where a statement is a round trip to another process. Groups run on the thread of the first
        item,
        or on `offload`.
        """
        self._collects = collects
        self._offload = offload
        self._work = work
        self._waiting: list[tuple[Item, Future[Result]]] = []
        self._lock = threading.Lock()
        self._served = False
        self._last = time.monotonic()
        self._rate = 0.0

    def __call__(self, item: Item) -> Future[Result]:
        future: Future[Result] = Future()
        with self._lock:
            self._waiting.append((item, future))
            leads, self._served = not self._served, True
        if leads and self._offload is None:
            self._serve()
        elif leads and self._offload is not None:
            self._offload(self._serve)
        return future

    def _serve(self) -> None:
        """Run groups until no item is queued."""
        while self._serve_group():
            pass

    def _serve_group(self) -> bool:
        """Run one group; return whether items remain."""
        if self._collects and (seconds := collect_seconds(self._rate)):
            time.sleep(seconds)
        with self._lock:
            group, self._waiting = self._waiting[:MAX_GROUP_SIZE], self._waiting[MAX_GROUP_SIZE:]
        results = carried_out(self._work, [item for item, _ in group])
        self._update_rate(len(group))
        for (_, future), result in zip(group, results, strict=True):
            _resolve(future, result)
        with self._lock:
            self._served = bool(self._waiting)
            return self._served

    def _update_rate(self, size: int) -> None:
        now = time.monotonic()
        rate = size / max(now - self._last, 1e-4)
        self._rate, self._last = self._rate + OF_THE_LAST * (rate - self._rate), now


def collect_seconds(rate: float) -> float:
    """How long a group waits to collect items at a rate of `rate` per second. Pure."""
    if rate * MAX_COLLECT_SECONDS < FEW:
        return 0.0
    return min(MAX_COLLECT_SECONDS, ENOUGH / rate)


def _resolve(future: Future[Result], result: Result | BaseException) -> None:
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
