"""Exit codes, and how signals and exits are handled."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from enum import IntEnum
from types import FrameType
from typing import Any, Final, NoReturn, Self

SLICE_SECONDS: Final = 0.1
"""A wait notices a signal within this time."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """A context in which SIGINT and SIGTERM are only counted."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, seconds: float) -> None:
        """Wait; a signal ends the wait within one slice."""
        seen, until = self.count, time.monotonic() + seconds
        # Not an Event: a signal handler that interrupts its own wait cannot take the Event's lock.
        while self.count == seen and (remaining := until - time.monotonic()) > 0:
            time.sleep(min(remaining, SLICE_SECONDS))

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


class Exit(IntEnum):
    """Exit codes; a stable interface."""

    DONE = 0
    """Everything succeeded."""
    SOME_FAILED = 1
    """Finished, and some jobs failed, expired or were cancelled."""
    UNUSABLE = 2
    """Invalid input or settings, or an unreachable service."""
    HELD = 3
    """The remaining jobs are held by a budget or by refused takes."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM, or declined at the prompt."""


def leave(code: Exit) -> NoReturn:
    """Exit with this code, without waiting for pool threads: a call in flight may take minutes."""
    main = threading.main_thread()
    if any(thread is not main and not thread.daemon for thread in threading.enumerate()):
        leave_now(code)
    sys.exit(code)


def leave_now(code: Exit) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
