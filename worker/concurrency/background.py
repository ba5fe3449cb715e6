"""Work that must not occupy attempt threads: a few daemon threads that take items from a queue.

Items still queued when the process exits are dropped: each has a database row that brings it back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from typing import Generic, TypeVar

import structlog

Item = TypeVar("Item", bound=Hashable)

log = structlog.get_logger("ttsq.worker")


class BackgroundPool(Generic[Item]):
    """Calls `work` with each item on up to `threads` threads. An item equal to a queued or running one is dropped."""

    def __init__(self, name: str, work: Callable[[Item], object], *, threads: int, close_seconds: float) -> None:
        """`close_seconds` bounds how long `close` waits for running items."""
        self._name = name
        self._work = work
        self._most = threads
        self._close_seconds = close_seconds
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._pending: set[Item] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False

    def add(self, item: Item) -> None:
        with self._lock:
            if self._closed or item in self._pending:
                return
            self._pending.add(item)
            if len(self._threads) < min(self._most, len(self._pending)):
                self._start_thread()
        self._queue.put(item)

    def close(self) -> None:
        """Drop queued items and wait for running ones."""
        with self._lock:
            self._closed = True
            threads = tuple(self._threads)
        for _ in threads:
            self._queue.put(None)
        deadline = time.monotonic() + self._close_seconds
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name=f"ttsq-{self._name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None and not self._closed:
            try:
                self._work(item)
            except Exception:
                log.exception("background_work_crashed", pool=self._name, item=str(item))
            finally:
                with self._lock:
                    self._pending.discard(item)
