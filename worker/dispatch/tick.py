"""Result of a tick, what undoes it in memory, and the wait before the next one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final


@dataclass(slots=True)
class LeadershipStats:
    ticks: int = 0
    seconds: float = 0.0
    longest_seconds: float = 0.0
    cpu_seconds: float = 0.0
    """The dispatcher's thread only, without the database."""

    @contextmanager
    def tick(self) -> Iterator[None]:
        began, cpu = time.perf_counter(), time.thread_time()
        yield
        seconds = time.perf_counter() - began
        self.ticks += 1
        self.seconds += seconds
        self.longest_seconds = max(self.longest_seconds, seconds)
        self.cpu_seconds += time.thread_time() - cpu

    def summary(self) -> dict[str, float]:
        return {
            "ticks": self.ticks,
            "tick_ms": round(1_000 * self.seconds / max(1, self.ticks), 2),
            "longest_tick_ms": round(1_000 * self.longest_seconds, 2),
            "cpu_seconds": round(self.cpu_seconds, 3),
        }


FOLLOWER_POLL_SECONDS: Final = 0.5
BUSY_POLL_SECONDS: Final = 0.1
"""Maximum wait between ticks of a busy leader; a wake-up cuts it short."""
IDLE_POLL_SECONDS: Final = 0.25
REST_POLL_SECONDS: Final = 1.5
"""The same while there is no work at all, and notifications arrive: well below the term of the lease."""
REST_SECONDS: Final = 12.0
"""Maximum time between complete ticks while at rest."""
GATHER_SECONDS: Final = 0.1
"""Minimum time between ticks caused by changes, so that simultaneous changes are handled together."""
EMBEDDED_GATHER_SECONDS: Final = 0.04
"""The same with SQLite, where a tick is cheap."""


@dataclass(frozen=True, slots=True)
class Tick:
    leads: bool = False
    busy: bool = False
    """Whether a job started, or would start with free capacity."""
    next_chance: datetime | None = None
    """When the pace allows the next call."""
    now: datetime | None = None
    at_rest: bool = False
    """Whether there is no work at all."""


def wait_seconds(tick: Tick) -> float:
    if not tick.leads:
        return FOLLOWER_POLL_SECONDS
    if tick.at_rest:
        return REST_POLL_SECONDS
    wait = BUSY_POLL_SECONDS if tick.busy else IDLE_POLL_SECONDS
    if tick.next_chance is None or tick.now is None:
        return wait
    until_chance = (tick.next_chance - tick.now).total_seconds()
    # The pace may allow a start sooner.
    return min(wait, max(until_chance, EMBEDDED_GATHER_SECONDS)) if until_chance > 0 else wait


def checkpoint(*parts: Any) -> Callable[[], None]:  # noqa: ANN401 - any slotted dataclass
    """Return a function that restores the state of the parts when a tick fails: memory must never be ahead of the rows.

    Dictionaries and sets are copied, one level deep.
    """
    saved = [(part, name, _copied(getattr(part, name))) for part in parts for name in part.__slots__]

    def restore() -> None:
        for part, name, value in saved:
            setattr(part, name, value)

    return restore


def _copied(value: object) -> object:
    return value.copy() if isinstance(value, dict | set) else value
