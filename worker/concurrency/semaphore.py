"""A semaphore whose waiters hold no thread; first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future

from worker.concurrency.futures import resolved


class AsyncSemaphore:
    """Thread-safe."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    def acquire(self) -> Future[None]:
        with self._lock:
            if self._free:
                self._free -= 1
                return resolved(None)
            future: Future[None] = Future()
            self._waiting.append(future)
            return future

    def release(self) -> None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                return
            future = self._waiting.popleft()
        future.set_result(None)
