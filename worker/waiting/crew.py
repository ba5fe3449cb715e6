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

from worker.waiting.switchboard import Switchboard

USUAL: Final = 4
"""Threads that are enough while nobody is held up: they share one interpreter."""
LOOK_SECONDS: Final = 0.05
"""What was waiting at one look and still is at the next has waited too long."""
SATURATED: Final = 0.5
"""The share of one core from which on this process counts as busy with its own work."""
SPARE_SECONDS: Final = 10.0
"""What a thread beyond the usual waits for work before it goes."""
STEP: Final = 8
"""The most threads that come at one look."""

log = structlog.get_logger("ttsq.worker")
T = TypeVar("T")


class Crew:
    """Does what it is given, in order, on threads of its own. Safe to share between threads."""

    def __init__(self, name: str, switchboard: Switchboard, *, usual: int = USUAL, most: int = USUAL) -> None:
        """No thread yet. `most` bounds those that come beyond the usual."""
        self._name = name
        self._switchboard = switchboard
        self._usual = usual
        self._most = max(usual, most)
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._added = 0
        self._taken = 0
        self._watched = False

    def add(self, work: Callable[[], object]) -> None:
        """Do it as soon as a thread is free. What it raises is logged."""
        with self._lock:
            self._added += 1
            waiting = self._added - self._taken
            hire = waiting > self._idle and self._threads < self._usual
            self._threads += hire
            watch = not hire and waiting > self._idle and self._threads < self._most and not self._watched
            self._watched = self._watched or watch
            seen = self._added
        self._work.put(work)
        if hire:
            self._hire()
        if watch:
            self._look_again(seen)

    def do(self, work: Callable[[], T]) -> Future[T]:
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
            leaving = self._threads
        for _ in range(leaving):
            self._work.put(None)

    def _hire(self) -> None:
        threading.Thread(target=self._live, name=f"ttsq-{self._name}", daemon=True).start()

    def _look_again(self, added: int) -> None:
        began, cpu = time.monotonic(), time.process_time()
        self._switchboard.after(LOOK_SECONDS, lambda: self._look(added, began, cpu))

    def _look(self, added: int, began: float, cpu: float) -> None:
        """Whether what had been added by the last look is still waiting, and not for the processor."""
        busy = (time.process_time() - cpu) / max(time.monotonic() - began, 1e-3) > SATURATED
        with self._lock:
            waited = 0 if busy else max(0, added - self._taken)
            hired = min(waited, STEP, self._most - self._threads)
            self._threads += hired
            self._watched = self._added > self._taken and self._threads < self._most
            goes_on, seen = self._watched, self._added
        for _ in range(hired):
            self._hire()
        if goes_on:
            self._look_again(seen)

    def _live(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except BaseException:
                log.exception("work_surprised", crew=self._name)
            del work  # or what it holds would be held until there is more

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            self._idle += 1
        try:
            while True:
                try:
                    work = self._work.get(timeout=SPARE_SECONDS)
                except Empty:
                    if self._is_spare():
                        return None
                else:
                    with self._lock:
                        self._taken += work is not None
                        self._threads -= work is None
                    return work
        finally:
            with self._lock:
                self._idle -= 1

    def _is_spare(self) -> bool:
        """Whether this thread may go; then it is counted no more."""
        with self._lock:
            spare = self._threads > self._usual and self._work.empty()
            self._threads -= spare
            return spare
