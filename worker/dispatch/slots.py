"""How many calls the workers could take on just now. Reading only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from worker.dispatch.reach import Reach
from worker.dispatch.rescue import HEARTBEAT_LAPSE_SECONDS
from worker.store import views, workers
from worker.store.workers import Member


def fit(connection: Connection, reach: Reach, now: datetime) -> list[Member]:
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


def room(connection: Connection, reach: Reach, now: datetime) -> Room:
    """Their slots, and how many of them are free."""
    able = fit(connection, reach, now)
    if not able:
        return Room()
    # What others still have in hand, as a worker that is stopping, takes no slot of these.
    taken = views.in_flight_by_worker(connection)
    unclaimed = taken.get(None, 0)
    total = sum(member.slots for member in able)
    return Room(total - sum(taken.get(member.id, 0) for member in able) - unclaimed, total)
