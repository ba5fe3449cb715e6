"""Slots that are kept free of bulk, so that interactive jobs find one at once. Interactive is what has a priority.

Its weakness: the reserve binds only for a minute after an interactive job was last seen, because slots that nobody asks
for would slow down every night's run. The first one after a quiet time waits for the next slot to become free.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from worker.store.transitions.dispatches import Lane

MEMORY_SECONDS: Final = 60.0


def is_bulk(lane: Lane) -> bool:
    """Whether its jobs can wait."""
    return lane.priority <= 0


def reserved(slots: int, share: float) -> int:
    """How many of so many slots bulk may not use: one at least where there are two, and never all."""
    if share <= 0 or slots < 2:
        return 0
    return min(slots - 1, max(1, round(slots * share)))


@dataclass(slots=True)
class Reserve:
    """Remembers when an interactive job was last seen."""

    share: float
    """Of all slots."""
    _seen_at: datetime | None = None

    def look(self, lanes: Iterable[Lane], now: datetime) -> None:
        """Note whether an interactive job waits. Every one waits for a tick at least."""
        if not all(map(is_bulk, lanes)):
            self._seen_at = now

    def held(self, slots: int, now: datetime) -> int:
        """How many of so many slots are kept free just now."""
        if self._seen_at is None or (now - self._seen_at).total_seconds() > MEMORY_SECONDS:
            return 0
        return reserved(slots, self.share)
