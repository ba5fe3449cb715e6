"""What cuts the dispatcher's wait between two ticks short, and how soon.

Changes that come together, as when a hundred calls end at once, are answered together. What was handed in to an idle
system is answered at once; but only so many times in a row, or a stream of single jobs would be a stream of ticks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

QUICK_TICKS: Final = 10.0
"""This many ticks may follow at once on what was handed in, where none has come for a while."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How many quick ticks are left; one grows back in each `gather_seconds`. Pure."""

    left: float = QUICK_TICKS
    ticked_at: float | None = None


def after_tick(rhythm: Rhythm, now: float, gather_seconds: float) -> Rhythm:
    """Every tick takes one, whatever it was for. `now` is in seconds of any steady clock."""
    grown = 0.0 if rhythm.ticked_at is None else (now - rhythm.ticked_at) / gather_seconds
    return Rhythm(max(0.0, min(QUICK_TICKS, rhythm.left + grown) - 1), now)


def soonest(rhythm: Rhythm, gather_seconds: float) -> float:
    """Seconds from the last tick to when the next one may answer an arrival."""
    return max(0.0, 1 - rhythm.left) * gather_seconds


@dataclass(slots=True)
class Wakeup:
    """Waits in one thread, and is rung from any other."""

    clock: Callable[[], float] = time.monotonic
    _changed: bool = False
    _arrived: bool = False
    _stopped: bool = False
    _rung: threading.Condition = field(default_factory=threading.Condition)

    def change(self) -> None:
        """Something is different: an attempt has ended, a slot is free."""
        with self._rung:
            self._changed = True
            self._rung.notify()

    def arrive(self) -> None:
        """Somebody has handed in."""
        with self._rung:
            self._arrived = True
            self._rung.notify()

    def stop(self) -> None:
        """Let nobody wait any more."""
        with self._rung:
            self._stopped = True
            self._rung.notify()

    def forget(self) -> None:
        """Before a look: what rings during it is for the next one."""
        with self._rung:
            self._changed = self._arrived = False

    def wait(self, longest: float, *, change: float, arrival: float) -> None:
        """So many seconds; after a change or an arrival, what is left of these of theirs. All count from the call."""
        began = self.clock()
        with self._rung:
            while not self._stopped:
                seconds = longest
                if self._changed:
                    seconds = min(seconds, change)
                if self._arrived:
                    seconds = min(seconds, arrival)
                left = began + seconds - self.clock()
                if left <= 0:
                    return
                self._rung.wait(left)
