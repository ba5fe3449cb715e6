"""How fast calls end, so that the next jobs are on their way to the workers before their slots are free. Pure.

A slot that waits for the next tick, its message and its claim stands idle for a tenth of a second in each call. A few
messages more than there are slots fill that gap; they wait at the broker, where whichever worker is free takes them.

Its weakness: it goes by the last second. Where many calls end at once and then none for long, a few messages wait in
vain; they are as good as any other when a slot is free, and nothing was paid for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final

MEMORY_SECONDS: Final = 1.0
"""What ended longer ago weighs less than a third."""
AHEAD_SECONDS: Final = 0.2
"""From a slot's becoming free to its next claim, by way of the record, a tick, a message and the broker."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Attempts that end, a second."""

    per_second: float = 0.0
    seen_at: datetime | None = None


def after(flow: Flow, *, ended: int, now: datetime) -> Flow:
    """The flow after a look that found so many more attempts ended."""
    if flow.seen_at is None:
        return Flow(0.0, now)
    elapsed = (now - flow.seen_at).total_seconds()
    if elapsed <= 0:
        return flow
    weight = 1 - math.exp(-elapsed / MEMORY_SECONDS)
    return Flow(flow.per_second + weight * (ended / elapsed - flow.per_second), now)


def ahead(flow: Flow, slots: int) -> int:
    """How many jobs may be dispatched beyond the free slots: as many as will have become free meanwhile."""
    return min(slots, int(flow.per_second * AHEAD_SECONDS))
