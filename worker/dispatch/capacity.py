"""How many calls the workers could take on just now. Reading only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from worker.dispatch.config import WorkerScope
from worker.dispatch.housekeeping import HEARTBEAT_LAPSE_SECONDS
from worker.store import workers
from worker.store.queries import jobs
from worker.store.workers import Member

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


def fit(connection: Connection, reach: WorkerScope, now: datetime) -> list[Member]:
    """The workers that this dispatcher can wake, and that could go to work."""
    limit = now - timedelta(seconds=HEARTBEAT_LAPSE_SECONDS)
    return [
        member
        for member in workers.present(connection)
        if member.queue == reach.queue
        and member.heartbeat_at >= limit
        and not member.stopping
        and member.trouble is None
    ]


@dataclass(frozen=True, slots=True)
class Room:
    """Slots of the workers that could go to work."""

    free: int = 0
    """Below zero where more was sent out than there are slots."""
    total: int = 0


def room(connection: Connection, reach: WorkerScope, now: datetime) -> Room:
    """Their slots, and how many of them are free."""
    able = fit(connection, reach, now)
    if not able:
        return Room()
    # What others still have in hand, as a worker that is stopping, takes no slot of these.
    taken = jobs.in_flight_by_worker(connection)
    unclaimed = taken.get(None, 0)
    total = sum(member.slots for member in able)
    return Room(total - sum(taken.get(member.id, 0) for member in able) - unclaimed, total)
