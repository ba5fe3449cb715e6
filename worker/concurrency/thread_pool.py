"""A thread pool that grows only while work is queued and its threads use little CPU.

Low CPU with queued work means that threads are blocked on network or disk. More threads would not help CPU-bound
work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

import structlog

from worker.concurrency.reactor import Reactor

USUAL: Final = 4
"""Enough while no thread is blocked: all share one interpreter."""
POLL_SECONDS: Final = 0.05
"""Work added before one poll and still queued at the next has waited too long."""
SATURATED: Final = 0.3
"""Share of one core above which the pool counts as CPU-bound, not blocked."""
SPARE_SECONDS: Final = 10.0
"""Idle time after which a thread beyond the usual number exits."""
STEP: Final = 8
"""Maximum threads started per poll."""

log = structlog.get_logger("ttsq.worker")
T = TypeVar("T")
Work = Callable[[], object]


class ElasticThreadPool:
    """Runs work in order of arrival. Thread-safe."""

    def __init__(
        self,
        name: str,
        reactor: Reactor,
        *,
        usual: int = USUAL,
        most: int = USUAL,
        look_seconds: float = POLL_SECONDS,
    ) -> None:
        """`most` bounds the threads started beyond the usual number, at polls `look_seconds` apart."""
        self._name = name
        self._reactor = reactor
        self._usual = usual
        self._most = max(usual, most)
        self._look_seconds = look_seconds
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._watched = False
        self._cpu = 0.0
        """Total CPU seconds of all threads."""

    def add(self, work: Work) -> None:
        """Queue the work. Its exceptions are logged."""
        self._work.put(work)
        if self._threads < self._usual:
            self._grow(1, up_to=self._usual)
        elif not self._watched and self._threads < self._most and self._work.qsize():
            self._watch()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Queue the work and return its future."""
        future: Future[T] = Future()

        def done() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised again by the future's waiter
                future.set_exception(error)

        self.add(done)
        return future

    def close(self) -> None:
        """Accept no more work; queued work still runs, then the threads exit."""
        with self._lock:
            leaving, self._threads = self._threads, self._most
        for _ in range(leaving):
            self._work.put(None)

    def _grow(self, number: int, *, up_to: int) -> None:
        with self._lock:
            added = max(0, min(number, up_to - self._threads))
            self._threads += added
            usual = self._threads <= self._usual
        for _ in range(added):
            self._start_thread(self._run if usual else self._run_extra)

    def _start_thread(self, target: Work) -> None:
        try:
            threading.Thread(target=target, name=f"ttsq-{self._name}", daemon=True).start()
        except RuntimeError as error:  # the operating system's thread limit
            with self._lock:
                self._threads -= 1
            log.warning("thread_limit_reached", pool=self._name, threads=self._threads, error=str(error))

    def _watch(self) -> None:
        """Poll later whether the work queued last is still waiting."""
        self._watched = True
        reached = threading.Event()
        self._work.put(reached.set)
        began, cpu = time.monotonic(), self._cpu
        self._reactor.call_later(self._look_seconds, lambda: self._poll(reached, began, cpu))

    def _poll(self, reached: threading.Event, began: float, cpu: float) -> None:
        busy = (self._cpu - cpu) / max(time.monotonic() - began, 1e-3) > SATURATED
        self._watched = False
        if not (reached.is_set() or busy):
            self._grow(min(self._work.qsize(), STEP), up_to=self._most)
        if self._work.qsize() and self._threads < self._most:
            self._watch()

    def _run(self) -> None:
        """Loop of a permanent thread."""
        while (work := self._work.get()) is not None:
            self._execute(work)
            del work  # or its references would stay alive until the next item

    def _run_extra(self) -> None:
        """Loop of an extra thread; exits when idle."""
        try:
            while (work := self._work.get(timeout=SPARE_SECONDS)) is not None:
                self._execute(work)
                del work
        except Empty:
            with self._lock:
                self._threads -= 1

    def _execute(self, work: Work) -> None:
        began = time.thread_time()
        try:
            work()
        except BaseException:
            log.exception("pool_work_crashed", pool=self._name)
        self._cpu += time.thread_time() - began  # two at once may lose one: it is an estimate
