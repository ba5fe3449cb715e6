"""Cuts the dispatcher's wait between two ticks short.

Simultaneous changes, such as a hundred calls finishing at once, are handled together. New jobs on an idle system are
handled at once, but only `QUICK_TICKS` times in a row: otherwise a stream of single jobs would become a stream of
ticks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

QUICK_TICKS: Final = 10.0
"""Immediate ticks for new jobs that may follow each other after a quiet period."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A token bucket of quick ticks: one token returns every `gather_seconds`. Pure."""

    tokens: float = QUICK_TICKS
    ticked_at: float | None = None


def after_tick(rhythm: Rhythm, now: float, gather_seconds: float) -> Rhythm:
    """Every tick takes one token, whatever its cause. `now` is in seconds of a monotonic clock."""
    grown = 0.0 if rhythm.ticked_at is None else (now - rhythm.ticked_at) / gather_seconds
    return Rhythm(max(0.0, min(QUICK_TICKS, rhythm.tokens + grown) - 1), now)


def quick_delay(rhythm: Rhythm, gather_seconds: float) -> float:
    """Return the seconds from the last tick until the next one may handle new jobs."""
    return max(0.0, 1 - rhythm.tokens) * gather_seconds


@dataclass(slots=True)
class Wakeup:
    """Waits in one thread; any thread may wake it."""

    clock: Callable[[], float] = time.monotonic
    _changed: bool = False
    _arrived: bool = False
    _stopped: bool = False
    _condition: threading.Condition = field(default_factory=threading.Condition)

    def change(self) -> None:
        with self._condition:
            self._changed = True
            self._condition.notify()

    def arrive(self) -> None:
        with self._condition:
            self._arrived = True
            self._condition.notify()

    def stop(self) -> None:
        with self._condition:
            self._stopped = True
            self._condition.notify()

    def forget(self) -> bool:
        """Reset before a tick: what arrives during the tick wakes the next one. Returns whether anything had."""
        with self._condition:
            was_woken = self._changed or self._arrived
            self._changed = self._arrived = False
            return was_woken

    def wait(self, longest: float, *, change: float, arrival: float) -> None:
        """Wait `longest` seconds, or only `change` or `arrival` seconds after one. All count from the call."""
        began = self.clock()
        with self._condition:
            while not self._stopped:
                seconds = longest
                if self._changed:
                    seconds = min(seconds, change)
                if self._arrived:
                    seconds = min(seconds, arrival)
                remaining = began + seconds - self.clock()
                if remaining <= 0:
                    return
                self._condition.wait(remaining)
