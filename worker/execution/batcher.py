"""Doing together what many attempts ask for at the same moment: one transaction for a whole burst of jobs.

The first to ask is served at once. Whoever asks meanwhile waits, and when the first is served all that wait are served
together. Where many ask, each group may be given a moment to gather: one transaction for ten is much cheaper.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

from worker.store.writing.groups import carried_out

MAX_GROUP_SIZE: Final = 200
LONGEST_GATHER_SECONDS: Final = 0.04
FEW: Final = 2.5
"""A group that would gather no more than that isn't worth the wait."""
ENOUGH: Final = 5.0
"""A group of so many costs nearly as little as a larger one."""
OF_THE_LAST: Final = 0.3
"""How much the last group says of how many will ask, beside all those before it."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Offload = Callable[[Callable[[], object]], object]
"""Has something done by another thread than the one that calls it."""


class Batcher(Generic[Item, Result]):
    """A function of one item, carried out by a function of many."""

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        gathers: bool = False,
        offload: Offload | None = None,
    ) -> None:
        """`work` gives one result an item, in order. What it raises, everyone in the group is told, unless a value of
        one item is to blame: then that one is told alone (`worker.store.writing.groups`).

        To let groups gather pays where a statement is a round trip to another process, and only costs time where the
        database is a file. Groups are served by the thread that asks first, or `offload`.
        """
        self._gathers = gathers
        self._offload = offload
        self._work = work
        self._waiting: list[tuple[Item, Future[Result]]] = []
        self._lock = threading.Lock()
        self._served = False
        self._last = time.monotonic()
        self._rate = 0.0

    def __call__(self, item: Item) -> Future[Result]:
        """The result for this item, perhaps later."""
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
        """Group by group, until nobody waits."""
        while self._serve_group():
            pass

    def _serve_group(self) -> bool:
        """Carry out everything that waits now; whether there is more."""
        if self._gathers and (seconds := gather_seconds(self._rate)):
            time.sleep(seconds)
        with self._lock:
            group, self._waiting = self._waiting[:MAX_GROUP_SIZE], self._waiting[MAX_GROUP_SIZE:]
        results = carried_out(self._work, [item for item, _ in group])
        self._learn(len(group))
        for (_, future), result in zip(group, results, strict=True):
            _tell(future, result)
        with self._lock:
            self._served = bool(self._waiting)
            return self._served

    def _learn(self, asked: int) -> None:
        now = time.monotonic()
        rate = asked / max(now - self._last, 1e-4)
        self._rate, self._last = self._rate + OF_THE_LAST * (rate - self._rate), now


def gather_seconds(rate: float) -> float:
    """How long a group waits for more to come, where so many ask in a second. Pure."""
    if rate * LONGEST_GATHER_SECONDS < FEW:
        return 0.0
    return min(LONGEST_GATHER_SECONDS, ENOUGH / rate)


def _tell(future: Future[Result], result: Result | BaseException) -> None:
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
