"""A few threads for whatever has work. More of them come only when work waits while the processor doesn't: then those
that are there are held up by somebody else's network or disk, and another thread helps. Too much work it would not.
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
"""Threads that are enough while nobody is held up: they share one interpreter."""
POLL_SECONDS: Final = 0.05
"""What was added at one look and still waits at the next has waited too long."""
SATURATED: Final = 0.3
"""The share of one core from which on a crew counts as busy with its work, and not held up."""
SPARE_SECONDS: Final = 10.0
"""What a thread beyond the usual waits for work before it goes."""
STEP: Final = 8
"""The most threads that come at one look."""

log = structlog.get_logger("ttsq.worker")
T = TypeVar("T")
Work = Callable[[], object]


class ElasticThreadPool:
    """Does what it is given, in order, on threads of its own. Safe to share between threads."""

    def __init__(
        self,
        name: str,
        reactor: Reactor,
        *,
        usual: int = USUAL,
        most: int = USUAL,
        look_seconds: float = POLL_SECONDS,
    ) -> None:
        """No thread yet. `most` bounds those that come beyond the usual, at looks that are `look_seconds` apart."""
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
        """Seconds that all of them together have worked."""

    def add(self, work: Work) -> None:
        """Do it as soon as a thread is free. What it raises is logged."""
        self._work.put(work)
        if self._threads < self._usual:
            self._hire(1, up_to=self._usual)
        elif not self._watched and self._threads < self._most and self._work.qsize():
            self._watch()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """As `add`, for its result."""
        future: Future[T] = Future()

        def done() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                future.set_exception(error)

        self.add(done)
        return future

    def close(self) -> None:
        """Take nothing more; what was added before is done, and the threads go."""
        with self._lock:
            leaving, self._threads = self._threads, self._most
        for _ in range(leaving):
            self._work.put(None)

    def _hire(self, number: int, *, up_to: int) -> None:
        with self._lock:
            coming = max(0, min(number, up_to - self._threads))
            self._threads += coming
            usual = self._threads <= self._usual
        for _ in range(coming):
            self._begin(self._live if usual else self._help)

    def _begin(self, live: Work) -> None:
        try:
            threading.Thread(target=live, name=f"ttsq-{self._name}", daemon=True).start()
        except RuntimeError as error:  # the system gives no more of them
            with self._lock:
                self._threads -= 1
            log.warning("no_more_threads", crew=self._name, threads=self._threads, error=str(error))

    def _watch(self) -> None:
        """See whether what is added last of all now is still waiting at the next look."""
        self._watched = True
        reached = threading.Event()
        self._work.put(reached.set)
        began, cpu = time.monotonic(), self._cpu
        self._reactor.call_later(self._look_seconds, lambda: self._look(reached, began, cpu))

    def _look(self, reached: threading.Event, began: float, cpu: float) -> None:
        busy = (self._cpu - cpu) / max(time.monotonic() - began, 1e-3) > SATURATED
        self._watched = False
        if not (reached.is_set() or busy):
            self._hire(min(self._work.qsize(), STEP), up_to=self._most)
        if self._work.qsize() and self._threads < self._most:
            self._watch()

    def _live(self) -> None:
        """One of the usual threads."""
        while (work := self._work.get()) is not None:
            self._carry_out(work)
            del work  # or what it holds would be held until there is more

    def _help(self) -> None:
        """One beyond them, as long as there is work."""
        try:
            while (work := self._work.get(timeout=SPARE_SECONDS)) is not None:
                self._carry_out(work)
                del work
        except Empty:
            with self._lock:
                self._threads -= 1

    def _carry_out(self, work: Work) -> None:
        began = time.thread_time()
        try:
            work()
        except BaseException:
            log.exception("work_surprised", crew=self._name)
        self._cpu += time.thread_time() - began  # two at once may lose one: it is an estimate
