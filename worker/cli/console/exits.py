"""What the command says to a script when it ends."""

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
"""How late a wait may notice a signal."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """A context in which both signals only count."""

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
        """Wait, but not beyond the next signal by more than a slice."""
        seen, until = self.count, time.monotonic() + seconds
        # An Event would be neater, but its lock can't be taken from a signal handler that interrupts its own wait.
        while self.count == seen and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, SLICE_SECONDS))

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


class Exit(IntEnum):
    """The exit codes; scripts go by them."""

    DONE = 0
    """Everything that was asked for is there."""
    SOME_FAILED = 1
    """The work is over, and some of it failed, was cancelled or expired."""
    UNUSABLE = 2
    """Bad input, bad settings, or something out of reach: what was asked for could not be done."""
    HELD = 3
    """The rest is held: a budget doesn't cover it, or takes before it were refused. Raising the one, resuming the other
    continues."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM, or by a no to the question whether to buy."""


def leave(code: Exit) -> NoReturn:
    """End with this code. Python would wait for every thread of a pool; a call may take minutes to come back."""
    main = threading.main_thread()
    if any(thread is not main and not thread.daemon for thread in threading.enumerate()):
        leave_now(code)
    sys.exit(code)


def leave_now(code: Exit) -> NoReturn:
    """End at once, with everything said that was to be said."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
