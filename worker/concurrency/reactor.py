"""One thread that watches sockets and timers, so that thousands of waiting calls cost one file descriptor each.

Callbacks run on the reactor thread and must not block.
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
"""A timer due this little before the next poll waits for that poll."""
IDLE_SECONDS: Final = 5.0
"""The thread exits after this long with nothing to watch; the next wait starts another."""

Call = Callable[[], object]
T = TypeVar("T")

log = structlog.get_logger("ttsq.worker")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A watched descriptor and its deadline (monotonic clock)."""

    descriptor: int
    future: Future[bool]
    due: float


class Reactor:
    """Thread-safe."""

    def __init__(self) -> None:
        self.offload: Offload = inline
        """Runs blocking steps, such as a TLS handshake, of coroutines that wait here."""
        self._lock = threading.Lock()
        self._kernel: _Selector | None = None
        self._watched: dict[int, _Watched] = {}
        self._calls: list[tuple[float, int, Call]] = []
        self._deadlines: list[tuple[float, int, _Watched]] = []
        """Deadlines of every watch, including watches that have already ended."""
        self._numbers = itertools.count()
        self._next_poll = inf

    def readable(self, descriptor: int, seconds: float) -> Future[bool]:
        """Resolve to True when the descriptor is readable, closed or in error; to False after `seconds`.

        The descriptor must stay open until then.
        """
        watched = _Watched(descriptor, Future(), time.monotonic() + seconds)
        with self._lock:
            self._poll_by(watched.due).watch(descriptor)
            self._watched[descriptor] = watched
            heapq.heappush(self._deadlines, (watched.due, next(self._numbers), watched))
        return watched.future

    def call_later(self, seconds: float, call: Call) -> None:
        """Call a non-blocking function after `seconds`."""
        due = time.monotonic() + seconds
        with self._lock:
            heapq.heappush(self._calls, (due, next(self._numbers), call))
            self._poll_by(due)

    def sleep(self, seconds: float) -> Future[None]:
        future: Future[None] = Future()
        self.call_later(seconds, lambda: future.set_result(None))
        return future

    def _poll_by(self, due: float) -> _Selector:
        """Make the reactor poll no later than `due`. The lock must be held."""
        sooner = due < self._next_poll - EARLY_SECONDS
        self._next_poll = min(due, self._next_poll)
        if self._kernel is None:
            kernel = _Selector()
            threading.Thread(target=self._run, args=(kernel,), name="ttsq-reactor", daemon=True).start()
            self._kernel = kernel  # only after its thread has started: without one, no timer would fire
        elif sooner:
            self._kernel.interrupt()
        return self._kernel

    def _run(self, kernel: _Selector) -> None:
        idle_since = inf
        while True:
            now = time.monotonic()
            if self._next_poll < inf:
                idle_since = inf
            elif now - idle_since > IDLE_SECONDS and self._close_if_idle(kernel):
                return
            else:
                idle_since = min(now, idle_since)
            for descriptor in kernel.readable(min(IDLE_SECONDS, max(0.0, self._next_poll - now))):
                self._resolve(kernel, descriptor, is_readable=True)
            if time.monotonic() >= self._next_poll:
                self._poll(kernel)

    def _close_if_idle(self, kernel: _Selector) -> bool:
        """Close the selector if nothing is watched; return whether it was closed."""
        with self._lock:
            if self._watched or self._calls:
                return False
            kernel.close()
            self._kernel = None
            return True

    def _resolve(self, kernel: _Selector, descriptor: int, *, is_readable: bool) -> None:
        with self._lock:
            watched = self._watched.pop(descriptor, None)
            # Unregister first: a callback of the future may watch the same descriptor again.
            kernel.unwatch(descriptor)
            if not (self._watched or self._calls):
                self._deadlines.clear()  # or the thread would stay for the longest of them
                self._next_poll = inf
        if watched is not None:
            watched.future.set_result(is_readable)

    def _poll(self, kernel: _Selector) -> None:
        """Fire due timers, expire overdue watches and recompute the next deadline."""
        now = time.monotonic()
        with self._lock:
            calls = _pop_due(self._calls, now)
            late = [watched for watched in _pop_due(self._deadlines, now) if self._is_watched(watched)]
            while self._deadlines and not self._is_watched(self._deadlines[0][2]):
                heapq.heappop(self._deadlines)
            self._next_poll = min((heap[0][0] for heap in (self._calls, self._deadlines) if heap), default=inf)
        for watched in late:
            self._resolve(kernel, watched.descriptor, is_readable=False)
        for call in calls:
            try:
                call()
            except Exception:  # an uncaught exception would end the reactor thread
                log.exception("timer_crashed")

    def _is_watched(self, watched: _Watched) -> bool:
        return self._watched.get(watched.descriptor) is watched


def _pop_due(heap: list[tuple[float, int, T]], now: float) -> list[T]:
    due = []
    while heap and heap[0][0] <= now:
        due.append(heapq.heappop(heap)[2])
    return due


class _Selector:
    """The operating system's selector, and a pipe that interrupts its wait.

    On Linux and macOS a descriptor can be registered while another thread is selecting.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self.watch(self._read_end)

    def watch(self, descriptor: int) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ)

    def unwatch(self, descriptor: int) -> None:
        with suppress(KeyError):
            self._selector.unregister(descriptor)

    def readable(self, seconds: float) -> list[int]:
        """Return readable descriptors; none after a timeout or an interrupt."""
        found = [key.fd for key, _ in self._selector.select(seconds)]
        if self._read_end in found:
            os.read(self._read_end, 4_096)
            found.remove(self._read_end)
        return found

    def interrupt(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full: an interrupt is pending
            os.write(self._write_end, b"!")

    def close(self) -> None:
        self._selector.close()
        os.close(self._read_end)
        os.close(self._write_end)
