"""The signal that a worker is stopping, and waits that it interrupts."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from worker.concurrency.futures import resolved
from worker.concurrency.reactor import Reactor


class StopEvent(threading.Event):
    """Set once, when a worker begins to stop."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__()
        self.reactor = reactor
        self._lock = threading.Lock()
        self._pauses: set[Future[bool]] = set()

    def pause(self, seconds: float) -> Future[bool]:
        """Wait `seconds` or until the worker stops; resolves to whether it is stopping."""
        with self._lock:
            if self.is_set():
                return resolved(self.is_set())
            future: Future[bool] = Future()
            self._pauses.add(future)
        self.reactor.call_later(seconds, lambda: self._end(future))
        return future

    def sleep(self, seconds: float) -> Future[None]:
        """Wait `seconds`, even if the worker stops."""
        return self.reactor.sleep(seconds)

    def set(self) -> None:
        super().set()
        with self._lock:
            pauses = tuple(self._pauses)
        for future in pauses:
            self._end(future)

    def _end(self, future: Future[bool]) -> None:
        with self._lock:
            if future not in self._pauses:
                return
            self._pauses.remove(future)
        future.set_result(self.is_set())
