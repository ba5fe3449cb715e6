"""Doing together what many attempts ask for at the same moment: one transaction for a whole burst of jobs.

The first to ask does its own work at once. Whoever asks meanwhile waits, and when the first is done all that wait are
served together. A busy worker may give each group a moment to gather; an idle one waits for nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

MOST_IN_A_GROUP: Final = 200
GATHER_SECONDS: Final = 0.01
BUSY_SECONDS: Final = 0.5
"""A group that comes this soon after the last one is one of many."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Elsewhere = Callable[[Callable[[], object]], object]
"""Has something done by another thread than the one that calls it."""


class Grouped(Generic[Item, Result]):
    """A function of one item, carried out by a function of many."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        gather_seconds: float = 0.0,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """`work` gives one result an item, in order. What it raises, everyone in the group is told.

        `gather_seconds` is the moment that each group is given while the worker is busy. It pays where a statement is
        a round trip to another process, and only costs time where the database is a file. `elsewhere` relieves a thread
        that has served one group while there are more.
        """
        self._gather_seconds = gather_seconds
        self._elsewhere = elsewhere
        self._work = work
        self._waiting: list[tuple[Item, Future[Result]]] = []
        self._lock = threading.Lock()
        self._served = False
        self._last = float("-inf")

    def __call__(self, item: Item) -> Future[Result]:
        """The result for this item, perhaps later."""
        future: Future[Result] = Future()
        with self._lock:
            self._waiting.append((item, future))
            leads, self._served = not self._served, True
        if leads:
            self._serve()
        return future

    def _serve(self) -> None:
        """Group by group, until nobody waits or somebody else goes on."""
        while self._serve_group():
            if self._elsewhere is not None:
                self._elsewhere(self._serve)
                return

    def _serve_group(self) -> bool:
        """Carry out everything that waits now; whether there is more."""
        if self._gather_seconds and time.monotonic() - self._last < BUSY_SECONDS:
            time.sleep(self._gather_seconds)
        with self._lock:
            group, self._waiting = self._waiting[:MOST_IN_A_GROUP], self._waiting[MOST_IN_A_GROUP:]
        told = self._carried_out([item for item, _ in group])
        self._last = time.monotonic()
        for (_, future), tell in zip(group, told, strict=True):
            tell(future)
        with self._lock:
            self._served = bool(self._waiting)
            return self._served

    def _carried_out(self, items: Sequence[Item]) -> Sequence[Callable[[Future[Result]], None]]:
        """How each is told of its result."""
        try:
            results = self._work(items)
        except Exception as error:  # noqa: BLE001 - raised again for everyone that asked
            return [_failed(error)] * len(items)
        return [_done(result) for result in results]


def _done(result: Result) -> Callable[[Future[Result]], None]:
    return lambda future: future.set_result(result)


def _failed(error: Exception) -> Callable[[Future[Result]], None]:
    return lambda future: future.set_exception(error)
