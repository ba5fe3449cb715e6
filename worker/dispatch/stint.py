"""What one time in the lead took, told when it is over: how much of a machine the one dispatcher needs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Stint:
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

    def told(self) -> dict[str, float]:
        """For the log."""
        return {
            "ticks": self.ticks,
            "tick_ms": round(1_000 * self.seconds / max(1, self.ticks), 2),
            "longest_tick_ms": round(1_000 * self.longest_seconds, 2),
            "cpu_seconds": round(self.cpu_seconds, 3),
        }
