"""Slots kept free of bulk jobs, so that interactive jobs (those with a priority) start at once.

Weakness: the reserve lasts one minute after the last interactive job, because idle slots would slow down every nightly
run. The first interactive job after a quiet period waits for the next free slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from worker.store.transitions.dispatches import Lane

MEMORY_SECONDS: Final = 60.0


def is_bulk(lane: Lane) -> bool:
    return lane.priority <= 0


def reserved(slots: int, share: float) -> int:
    """Return the number of reserved slots: at least one if there are two or more, never all of them."""
    if share <= 0 or slots < 2:
        return 0
    return min(slots - 1, max(1, round(slots * share)))


@dataclass(slots=True)
class Reserve:
    share: float
    """Share of all slots."""
    _seen_at: datetime | None = None

    def note(self, lanes: Iterable[Lane], now: datetime) -> None:
        if not all(map(is_bulk, lanes)):
            self._seen_at = now

    def held(self, slots: int, now: datetime) -> int:
        if self._seen_at is None or (now - self._seen_at).total_seconds() > MEMORY_SECONDS:
            return 0
        return reserved(slots, self.share)
