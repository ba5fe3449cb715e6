"""How a worker process leaves: in good order when it is asked to, at once when it is asked again. Knows no Celery.

In good order: nothing more is claimed, calls in flight end within the grace, what is left is handed back, the worker
signs off. At once: everything is handed back as it stands, and calls in flight are cut by the end of the process.
Whichever way it goes, and were it killed on the way: the rows know what was in hand, and bring it back.
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
"""What handing everything back may take, for one who wants to be gone; a database that is away takes longer."""
SIGN_OFF_SECONDS: Final = 10.0
"""Beyond the grace: for the records of the last calls, and for signing off."""
END_SECONDS: Final = 5.0
"""For the process to end by itself, once it has signed off: Celery looks up once a second, and has its last events to
tell. No job is at stake any more, and a broker that doesn't answer would keep it for long."""
CUT_SHORT: Final = 1
"""The exit status of a process that left at once."""

log = structlog.get_logger("ttsq.worker")


class ShutdownRequest(Enum):
    """What the process is told."""

    LEAVE = "leave"
    """In good order; at once, where it was told so before."""
    AT_ONCE = "at once"
    """Now, in whatever state everything is."""
    ENDING = "ending"
    """The process is on its way out by itself: in good order, and no faster for it."""


class ShutdownTarget(Protocol):
    """What leaves: a worker's parts."""

    def begin_stop(self) -> None:
        """Start nothing more."""

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait for calls in flight. False when some still are after so many seconds."""

    def finish_stop(self) -> None:
        """Hand back what is left, and sign off."""

    def abort(self) -> None:
        """Start nothing more, hand back everything as it stands, and sign off."""


def end_process(status: int) -> None:
    """End at once: Python would wait for every thread of the pool, and calls may take minutes to come back."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class Shutdown:
    """One for a process. `ask` may be called from a signal handler, between any two instructions of any thread."""

    def __init__(
        self, parts: ShutdownTarget, *, grace_seconds: float, end: Callable[[int], None] = end_process
    ) -> None:
        """Nothing happens before it is asked for."""
        self._parts = parts
        self._grace_seconds = grace_seconds
        self._end = end
        # A handler can't take a lock that the thread it interrupts may hold; this queue's `put` takes none.
        self._asked: queue.SimpleQueue[ShutdownRequest] = queue.SimpleQueue()
        self._gone = threading.Event()
        self._idle = False
        threading.Thread(target=self._run, name="ttsq-leaving", daemon=True).start()

    def ask(self, how: ShutdownRequest = ShutdownRequest.LEAVE) -> None:
        """Tell it, and don't wait."""
        self._asked.put(how)

    def complete(self, status: int) -> None:
        """End the process with this status once it has left; nobody need have asked for it."""
        self.ask(ShutdownRequest.ENDING)
        self._gone.wait(self._grace_seconds + SIGN_OFF_SECONDS)
        self._end(status)

    def _run(self) -> None:
        if self._asked.get() is ShutdownRequest.AT_ONCE:
            self._at_once()
            return
        log.info("leaving", grace_seconds=self._grace_seconds)
        orderly = threading.Thread(target=self._in_order, name="ttsq-leaving-in-order", daemon=True)
        orderly.start()
        if self._must_hurry(orderly):
            self._at_once()
            return
        self._gone.set()
        if self._idle:
            time.sleep(END_SECONDS)
        self._end(0)

    def _in_order(self) -> None:
        self._parts.begin_stop()
        self._idle = self._parts.wait_until_idle(self._grace_seconds)
        self._parts.finish_stop()

    def _must_hurry(self, orderly: threading.Thread) -> bool:
        """Wait while it leaves in good order. True when it is asked again, or it takes longer than it may."""
        deadline = time.monotonic() + self._grace_seconds + SIGN_OFF_SECONDS
        while orderly.is_alive():
            with suppress(queue.Empty):
                if self._asked.get(timeout=SLICE_SECONDS) is not ShutdownRequest.ENDING:
                    return True
            if time.monotonic() > deadline:
                return True
        return False

    def _at_once(self) -> None:
        log.warning("leaving_at_once", note="what is in hand is handed back; calls in flight may have been paid for")
        last = threading.Thread(target=self._parts.abort, name="ttsq-leaving-at-once", daemon=True)
        last.start()
        last.join(LAST_SECONDS)
        self._gone.set()
        self._end(CUT_SHORT)
