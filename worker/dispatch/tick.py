"""What a tick found, and how long to wait before the next one. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final


@dataclass(slots=True)
class LeadershipStats:
    """Sums over the ticks of one leader."""

    ticks: int = 0
    seconds: float = 0.0
    longest_seconds: float = 0.0
    cpu_seconds: float = 0.0
    """Of the dispatcher's thread alone; the database's share is not in it."""

    @contextmanager
    def tick(self) -> Iterator[None]:
        """Count one."""
        began, cpu = time.perf_counter(), time.thread_time()
        yield
        seconds = time.perf_counter() - began
        self.ticks += 1
        self.seconds += seconds
        self.longest_seconds = max(self.longest_seconds, seconds)
        self.cpu_seconds += time.thread_time() - cpu

    def summary(self) -> dict[str, float]:
        """For the log."""
        return {
            "ticks": self.ticks,
            "tick_ms": round(1_000 * self.seconds / max(1, self.ticks), 2),
            "longest_tick_ms": round(1_000 * self.longest_seconds, 2),
            "cpu_seconds": round(self.cpu_seconds, 3),
        }


FOLLOWER_POLL_SECONDS: Final = 0.5
BUSY_POLL_SECONDS: Final = 0.1
"""The longest wait between two ticks of a leader with work; a wake-up cuts it short."""
IDLE_POLL_SECONDS: Final = 0.25
GATHER_SECONDS: Final = 0.1
"""From a tick to one that answers a change: changes that come together are answered together."""
EMBEDDED_GATHER_SECONDS: Final = 0.04
"""The same where the database is a file beside it, and a tick costs little."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One look of a dispatcher at the queue."""

    leads: bool = False
    busy: bool = False
    """Somebody started, or would start if there were room."""
    next_chance: datetime | None = None
    """When the pace lets the next call start."""
    now: datetime | None = None


def wait_seconds(tick: Tick) -> float:
    """The longest wait before the next tick."""
    if not tick.leads:
        return FOLLOWER_POLL_SECONDS
    wait = BUSY_POLL_SECONDS if tick.busy else IDLE_POLL_SECONDS
    if tick.next_chance is None or tick.now is None:
        return wait
    until_chance = (tick.next_chance - tick.now).total_seconds()
    # A rate may ask for a start sooner than that.
    return min(wait, max(until_chance, EMBEDDED_GATHER_SECONDS)) if until_chance > 0 else wait
