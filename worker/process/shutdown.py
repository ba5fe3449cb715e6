"""Graceful and immediate shutdown of a worker process. Knows no Celery.

Graceful: claim nothing more, let calls in flight finish within the grace period, release the rest, sign off.
Immediate, on a second request: release everything now; the exit interrupts calls in flight. After either, or after
a
SIGKILL, the database rows show which jobs were running and bring them back.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Final, Protocol

import structlog

SLICE_SECONDS: Final = 0.1
LAST_SECONDS: Final = 3.0
"""Limit for releasing everything in an immediate shutdown; an unreachable database takes longer."""
SIGN_OFF_SECONDS: Final = 10.0
"""Beyond the grace period: for recording the last calls and signing off."""
END_SECONDS: Final = 5.0
"""For Celery to exit by itself after sign-off: it polls its stop flag once a second and has last events to
send. No job is at risk any more, and an unresponsive broker would delay the exit for long.
"""
CUT_SHORT: Final = 1
"""Exit status of an immediate shutdown."""

log = structlog.get_logger("ttsq.worker")


class ShutdownRequest(Enum):
    LEAVE = "leave"
    """Graceful; immediate if requested before."""
    AT_ONCE = "at once"
    ENDING = "ending"
    """The process is exiting by itself: graceful, and no request to hurry."""


class ShutdownTarget(Protocol):
    def begin_stop(self) -> None: ...

    def wait_until_idle(self, seconds: float) -> bool:
        """Return False if calls are still in flight after `seconds`."""

    def finish_stop(self) -> None: ...

    def abort(self) -> None: ...


def end_process(status: int) -> None:
    """Exit without waiting for pool threads, whose calls may take minutes."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Shutdown:
    """One per process. `ask` may be called from a signal handler, between any two instructions of any thread."""

    def __init__(
        self, parts: ShutdownTarget, *, grace_seconds: float, end: Callable[[int], None] = end_process
    ) -> None:
        self._parts = parts
        self._grace_seconds = grace_seconds
        self._end = end
        # A handler can't take a lock that the thread it interrupts may hold; this queue's `put` takes none.
        self._requests: queue.SimpleQueue[ShutdownRequest] = queue.SimpleQueue()
        self._gone = threading.Event()
        self._idle = False
        threading.Thread(target=self._run, name="ttsq-shutdown", daemon=True).start()

    def ask(self, how: ShutdownRequest = ShutdownRequest.LEAVE) -> None:
        self._requests.put(how)

    def complete(self, status: int) -> None:
        """Shut down gracefully if not yet requested, then exit with this status."""
        self.ask(ShutdownRequest.ENDING)
        self._gone.wait(self._grace_seconds + SIGN_OFF_SECONDS)
        self._end(status)

    def _run(self) -> None:
        if self._requests.get() is ShutdownRequest.AT_ONCE:
            self._immediate()
            return
        log.info("shutting_down", grace_seconds=self._grace_seconds)
        graceful = threading.Thread(target=self._graceful, name="ttsq-shutdown-graceful", daemon=True)
        graceful.start()
        if self._must_hurry(graceful):
            self._immediate()
            return
        self._gone.set()
        if self._idle:
            time.sleep(END_SECONDS)
        self._end(0)

    def _graceful(self) -> None:
        self._parts.begin_stop()
        self._idle = self._parts.wait_until_idle(self._grace_seconds)
        self._parts.finish_stop()

    def _must_hurry(self, graceful: threading.Thread) -> bool:
        """Wait for the graceful shutdown. Return True on a second request or a timeout."""
        deadline = time.monotonic() + self._grace_seconds + SIGN_OFF_SECONDS
        while graceful.is_alive():
            with suppress(queue.Empty):
                if self._requests.get(timeout=SLICE_SECONDS) is not ShutdownRequest.ENDING:
                    return True
            if time.monotonic() > deadline:
                return True
        return False

    def _immediate(self) -> None:
        log.warning("shutdown_forced", note="running jobs are released; their calls may have been charged")
        last = threading.Thread(target=self._parts.abort, name="ttsq-shutdown-forced", daemon=True)
        last.start()
        last.join(LAST_SECONDS)
        self._gone.set()
        self._end(CUT_SHORT)
