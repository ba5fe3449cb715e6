"""One thread that watches sockets and the clock for all others: thousands of calls wait here for the price of a file
descriptor each. It does no work itself; what has been waited for is only told.
"""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import Final, TypeVar

import structlog

from worker.concurrency.futures import Offload, inline

EARLY_SECONDS: Final = 0.02
"""What is due by so little sooner than the next look is left to that look."""
IDLE_SECONDS: Final = 5.0
"""After so long with nothing to watch the thread goes. The next wait begins another."""

Call = Callable[[], object]
T = TypeVar("T")

log = structlog.get_logger("ttsq.worker")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A descriptor, and for how long it is watched, by the steady clock."""

    descriptor: int
    future: Future[bool]
    due: float


class Reactor:
    """Safe to share between threads."""

    def __init__(self) -> None:
        """Nothing is watched yet, and nothing is open."""
        self.offload: Offload = inline
        """Who does what would block the thread of a coroutine that waits here, such as a handshake."""
        self._lock = threading.Lock()
        self._kernel: _Kernel | None = None
        self._watched: dict[int, _Watched] = {}
        self._calls: list[tuple[float, int, Call]] = []
        self._dues: list[tuple[float, int, _Watched]] = []
        """When whatever was ever watched was to be given up; much of it has long been told."""
        self._numbers = itertools.count()
        self._next_look = inf

    def readable(self, descriptor: int, seconds: float) -> Future[bool]:
        """Until there is something to read, an end or an error included: True. False once the time is over.

        The descriptor must stay open until then.
        """
        watched = _Watched(descriptor, Future(), time.monotonic() + seconds)
        with self._lock:
            self._look_by(watched.due).watch(descriptor)
            self._watched[descriptor] = watched
            heapq.heappush(self._dues, (watched.due, next(self._numbers), watched))
        return watched.future

    def call_later(self, seconds: float, call: Call) -> None:
        """Call something that takes no time, so many seconds from now."""
        due = time.monotonic() + seconds
        with self._lock:
            heapq.heappush(self._calls, (due, next(self._numbers), call))
            self._look_by(due)

    def sleep(self, seconds: float) -> Future[None]:
        """Until so many seconds are over."""
        future: Future[None] = Future()
        self.call_later(seconds, lambda: future.set_result(None))
        return future

    def _look_by(self, due: float) -> _Kernel:
        """See to it that somebody looks by then. With the lock in hand."""
        sooner = due < self._next_look - EARLY_SECONDS
        self._next_look = min(due, self._next_look)
        if self._kernel is None:
            kernel = _Kernel()
            threading.Thread(target=self._run, args=(kernel,), name="ttsq-switchboard", daemon=True).start()
            self._kernel = kernel  # only now: without its thread nobody would ever look
        elif sooner:
            self._kernel.ring()
        return self._kernel

    def _run(self, kernel: _Kernel) -> None:
        idle_since = inf
        while True:
            now = time.monotonic()
            if self._next_look < inf:
                idle_since = inf
            elif now - idle_since > IDLE_SECONDS and self._is_over(kernel):
                return
            else:
                idle_since = min(now, idle_since)
            for descriptor in kernel.readable(min(IDLE_SECONDS, max(0.0, self._next_look - now))):
                self._tell(kernel, descriptor, came=True)
            if time.monotonic() >= self._next_look:
                self._look(kernel)

    def _is_over(self, kernel: _Kernel) -> bool:
        """Whether there is really nothing to watch; then everything is closed."""
        with self._lock:
            if self._watched or self._calls:
                return False
            kernel.close()
            self._kernel = None
            return True

    def _tell(self, kernel: _Kernel, descriptor: int, *, came: bool) -> None:
        with self._lock:
            watched = self._watched.pop(descriptor, None)
            # Before anybody hears of it, who may then watch the descriptor anew.
            kernel.let_go(descriptor)
        if watched is not None:
            watched.future.set_result(came)

    def _look(self, kernel: _Kernel) -> None:
        """What is due is told, and when the next look is, known anew."""
        now = time.monotonic()
        with self._lock:
            calls = _taken(self._calls, now)
            late = [watched for watched in _taken(self._dues, now) if self._is_watched(watched)]
            while self._dues and not self._is_watched(self._dues[0][2]):
                heapq.heappop(self._dues)
            self._next_look = min((heap[0][0] for heap in (self._calls, self._dues) if heap), default=inf)
        for watched in late:
            self._tell(kernel, watched.descriptor, came=False)
        for call in calls:
            try:
                call()
            except Exception:  # or everybody who waits would wait for ever
                log.exception("call_surprised")

    def _is_watched(self, watched: _Watched) -> bool:
        return self._watched.get(watched.descriptor) is watched


def _taken(heap: list[tuple[float, int, T]], now: float) -> list[T]:
    """What is due, taken out."""
    due = []
    while heap and heap[0][0] <= now:
        due.append(heapq.heappop(heap)[2])
    return due


class _Kernel:
    """What the system watches, and a bell that ends its wait.

    On Linux and macOS a descriptor may be given to it while a thread waits for the others.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._inside, self._outside = os.pipe()
        os.set_blocking(self._outside, False)
        self.watch(self._inside)

    def watch(self, descriptor: int) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ)

    def let_go(self, descriptor: int) -> None:
        with suppress(KeyError):
            self._selector.unregister(descriptor)

    def readable(self, seconds: float) -> list[int]:
        """Wait for some to be; none where the time is over, or the bell was rung."""
        found = [key.fd for key, _ in self._selector.select(seconds)]
        if self._inside in found:
            os.read(self._inside, 4_096)
            found.remove(self._inside)
        return found

    def ring(self) -> None:
        with suppress(BlockingIOError):  # it rings already
            os.write(self._outside, b"!")

    def close(self) -> None:
        self._selector.close()
        os.close(self._inside)
        os.close(self._outside)
