"""A bound on how many do something at the same time; the others wait without a thread, in the order they came in."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future

from worker.concurrency.futures import resolved


class AsyncSemaphore:
    """Safe to share between threads. Whoever has taken one gives it back."""

    def __init__(self, number: int) -> None:
        """All are there."""
        self._free = number
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    def acquire(self) -> Future[None]:
        """One, perhaps later."""
        with self._lock:
            if self._free:
                self._free -= 1
                return resolved(None)
            future: Future[None] = Future()
            self._waiting.append(future)
            return future

    def release(self) -> None:
        """To whoever has waited longest."""
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            future = self._waiting.popleft()
        future.set_result(None)
