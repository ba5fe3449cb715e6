"""A batch's position in the queue. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, func, select

from api_models.status import JobStatus
from worker.store.queries import counters
from worker.store.states import in_state
from worker.store.tables.jobs import Job


@dataclass(frozen=True, slots=True)
class Position:
    """How many queued jobs of others start before the last one of a batch, by the current order."""

    before: int
    between: int
    """With the same priority: their batches take turns with this one."""

    @property
    def all(self) -> int:
        return self.before + self.between


_QUEUED = in_state(JobStatus.QUEUED)
_COUNTED = select(Job.priority, Job.lane, func.count()).where(_QUEUED).group_by(Job.priority, Job.lane)


def position(connection: Connection, batch_id: UUID) -> Position | None:
    in_tallies = counters.about(connection, _QUEUED)
    rows = connection.execute(_COUNTED if in_tallies is None else counters.lanes(in_tallies)).all()
    own = {priority: number for priority, lane, number in rows if lane == batch_id}
    if not own:
        return None
    last = min(own)
    before = sum(number for priority, lane, number in rows if lane != batch_id and priority > last)
    between = sum(min(number, own[last]) for priority, lane, number in rows if lane != batch_id and priority == last)
    return Position(before, between)
