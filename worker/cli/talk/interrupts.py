"""Ctrl-C and SIGTERM, counted instead of thrown, so that work in flight can be ended in good order.

Works in the main thread only, as signals do.
"""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any, Final, Self

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
