"""How many more calls the workers can take. Reads only."""

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
"""Time constant of the moving average: older completions weigh less than a third."""
AHEAD_SECONDS: Final = 0.2
"""Time from a slot becoming free to its next claim: record, tick, message, broker."""


@dataclass(frozen=True, slots=True)
class Flow:
    per_second: float = 0.0
    seen_at: datetime | None = None


def after(flow: Flow, *, ended: int, now: datetime) -> Flow:
    if flow.seen_at is None:
        return Flow(0.0, now)
    elapsed = (now - flow.seen_at).total_seconds()
    if elapsed <= 0:
        return flow
    weight = 1 - math.exp(-elapsed / MEMORY_SECONDS)
    return Flow(flow.per_second + weight * (ended / elapsed - flow.per_second), now)


def ahead(flow: Flow, slots: int) -> int:
    """Return how many jobs to dispatch beyond the free slots, because that many slots will be free by then."""
    return min(slots, int(flow.per_second * AHEAD_SECONDS))


def fit(connection: Connection, scope: WorkerScope, now: datetime) -> list[Member]:
    limit = now - timedelta(seconds=HEARTBEAT_LAPSE_SECONDS)
    queues = {scope.queue, scope.early_queue()}
    return [
        member
        for member in workers.present(connection)
        if member.queue in queues and member.heartbeat_at >= limit and not member.stopping and member.problem is None
    ]


@dataclass(frozen=True, slots=True)
class Room:
    free: int = 0
    """Negative if more jobs are dispatched than there are slots."""
    total: int = 0
    in_use: int = 0
    """Jobs dispatched or running, wherever."""


def room(connection: Connection, scope: WorkerScope, now: datetime) -> Room:
    available = fit(connection, scope, now)
    if not available:
        return Room()
    # Jobs of other workers, such as one that is stopping, use none of these slots.
    taken = jobs.in_flight_by_worker(connection)
    unclaimed = taken.get(None, 0)
    total = sum(member.slots for member in available)
    free = total - sum(taken.get(member.id, 0) for member in available) - unclaimed
    return Room(free, total, in_use=sum(taken.values()))
