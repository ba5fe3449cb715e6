"""Doing together what many threads ask for at the same moment: one transaction for a whole burst of jobs.

The first to ask does its own work at once. Whoever asks meanwhile waits, and when the first is done one of them does it
for all that wait. A busy worker may give each group a moment to gather; an idle one waits for nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

MOST_IN_A_GROUP: Final = 200
GATHER_SECONDS: Final = 0.01
BUSY_SECONDS: Final = 0.5
"""A group that comes this soon after the last one is one of many."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Wish(Generic[Item, Result]):
    """What one thread asks for. Its event is set when the result is there, or when the thread is to take the lead."""

    item: Item
    heard: threading.Event = field(default_factory=threading.Event)
    done: bool = False
    result: Result | None = None
    error: Exception | None = None


class Grouped(Generic[Item, Result]):
    """A function of one item, carried out by a function of many."""

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result]], *, gather_seconds: float = 0.0) -> None:
        """`work` gives one result an item, in order. What it raises, everyone in the group raises.

        `gather_seconds` is the moment that each group is given while the worker is busy. It pays where a statement is
        a round trip to another process, and only costs time where the database is a file.
        """
        self._gather_seconds = gather_seconds
        self._work = work
        self._waiting: list[_Wish[Item, Result]] = []
        self._lock = threading.Lock()
        self._led = False
        self._last = float("-inf")

    def __call__(self, item: Item) -> Result:
        """The result for this item."""
        wish: _Wish[Item, Result] = _Wish(item)
        with self._lock:
            self._waiting.append(wish)
            leads, self._led = not self._led, True
        if not leads:
            wish.heard.wait()
        if not wish.done:
            self._lead()
        if wish.error is not None:
            raise wish.error
        return wish.result  # type: ignore[return-value]  # done without an error: there is one

    def _lead(self) -> None:
        """Carry out everything that waits now, the leader's own wish first of all, and name a successor."""
        if self._gather_seconds and time.monotonic() - self._last < BUSY_SECONDS:
            time.sleep(self._gather_seconds)
        with self._lock:
            group, self._waiting = self._waiting[:MOST_IN_A_GROUP], self._waiting[MOST_IN_A_GROUP:]
        try:
            for wish, result in zip(group, self._work([wish.item for wish in group]), strict=True):
                wish.result = result
        except Exception as error:  # noqa: BLE001 - raised again in every thread that asked
            for wish in group:
                wish.error = error
        for wish in group:
            wish.done = True
        self._last = time.monotonic()
        with self._lock:
            successor = self._waiting[0] if self._waiting else None
            self._led = successor is not None
        for wish in group:
            wish.heard.set()
        if successor is not None:
            successor.heard.set()
