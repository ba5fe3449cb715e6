"""Scheduled to queued to dispatched, and back where a message was lost. The dispatcher's statements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Integer, bindparam, select, tuple_, update

from api_models.status import JobStatus
from worker.store.states import in_flight_as, in_state
from worker.store.tables import Job

ROWS_A_STATEMENT = 1_000
"""Bulk changes go in pieces, so that none holds its locks for long."""


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """Jobs that wait behind one another: same priority, tenant, batch and model."""

    priority: int
    tenant: str
    lane: UUID
    model: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job at the head of its lane."""

    job_id: UUID
    attempt: int


# Statements of every tick are built once: building one costs more than running it.
_PROMOTE = (
    update(Job)
    .where(
        Job.id.in_(
            select(Job.id)
            .where(in_state(JobStatus.SCHEDULED), Job.not_before <= bindparam("now"))
            .order_by(Job.not_before)
            .limit(ROWS_A_STATEMENT)
        ),
        in_state(JobStatus.SCHEDULED),
    )
    .values(status=JobStatus.QUEUED)
)


def promote(connection: Connection, *, now: datetime) -> int:
    """Scheduled jobs whose time has come become queued. Returns how many."""
    return connection.execute(_PROMOTE, {"now": now}).rowcount


def expire(connection: Connection, *, now: datetime) -> int:
    """Jobs that have not started by their deadline end, unpaid. Returns how many."""
    # Word for word the predicate of a partial index, as in `in_flight_as`.
    waiting = Job.deadline.is_not(None) & in_state(JobStatus.SCHEDULED, JobStatus.QUEUED)
    return sum(_expire(connection, state, now) for state in (waiting, in_flight_as(JobStatus.DISPATCHED)))


def _expire(connection: Connection, state: ColumnElement[bool], now: datetime) -> int:
    late = select(Job.id).where(state, Job.deadline <= now).limit(ROWS_A_STATEMENT)
    return connection.execute(
        update(Job)
        .where(Job.id.in_(late), state)
        .values(
            status=JobStatus.EXPIRED,
            finished_at=now,
            worker_id=None,
            code="deadline",
            message="It had not started by its deadline; nothing was paid.",
        )
    ).rowcount


_KEY = (Job.priority, Job.tenant, Job.lane, Job.model)
# The index is read backwards: of more lanes than are looked at, those left out are the least urgent.
_FIRST_LANE = select(*_KEY).where(in_state(JobStatus.QUEUED)).order_by(*(column.desc() for column in _KEY)).limit(1)
_NEXT_LANE = _FIRST_LANE.where(
    tuple_(*_KEY) < tuple_(*(bindparam(f"after_{column.key}", type_=column.type) for column in _KEY))
)
_HEADS = (
    select(Job.id, Job.attempt)
    .where(in_state(JobStatus.QUEUED), *(column == bindparam(f"its_{column.key}") for column in _KEY))
    .order_by(Job.id)
    .limit(bindparam("most", type_=Integer))
)


def lanes(connection: Connection, *, most: int) -> list[Lane]:
    """The lanes that have someone waiting, the most urgent first, found by hopping along the index."""
    found: list[Lane] = []
    row = connection.execute(_FIRST_LANE).one_or_none()
    while row is not None and len(found) < most:
        found.append(Lane(*row))
        row = connection.execute(_NEXT_LANE, _named("after", found[-1])).one_or_none()
    return found


def heads(connection: Connection, lane: Lane, *, most: int) -> list[Waiting]:
    """The first jobs of a lane, in the order in which they were handed in."""
    return [Waiting(*row) for row in connection.execute(_HEADS, {**_named("its", lane), "most": most})]


def _named(prefix: str, lane: Lane) -> dict[str, object]:
    return {
        f"{prefix}_priority": lane.priority,
        f"{prefix}_tenant": lane.tenant,
        f"{prefix}_lane": lane.lane,
        f"{prefix}_model": lane.model,
    }


def dispatch(connection: Connection, jobs: Sequence[UUID], *, worker_id: UUID | None, now: datetime) -> list[Waiting]:
    """Queued jobs become dispatched. Only those returned were still queued and may be published.

    `worker_id` names the one worker that can receive the message, where the broker lives inside its process.
    """
    if not jobs:
        return []
    rows = connection.execute(
        update(Job)
        .where(Job.id.in_(jobs), in_state(JobStatus.QUEUED))
        .values(status=JobStatus.DISPATCHED, dispatched_at=now, worker_id=worker_id)
        .returning(Job.id, Job.attempt)
    )
    return [Waiting(*row) for row in rows]


def take_back(connection: Connection, jobs: Sequence[UUID]) -> int:
    """Dispatched jobs whose messages were never sent, or whose worker is stopping, become queued again."""
    if not jobs:
        return 0
    return connection.execute(
        update(Job)
        .where(Job.id.in_(jobs), in_state(JobStatus.DISPATCHED))
        .values(status=JobStatus.QUEUED, worker_id=None, dispatched_at=None)
    ).rowcount


def take_back_all(connection: Connection, *, worker_id: UUID) -> int:
    """Everything dispatched to one worker and not yet claimed becomes queued again."""
    return connection.execute(
        update(Job)
        .where(in_flight_as(JobStatus.DISPATCHED), Job.worker_id == worker_id)
        .values(status=JobStatus.QUEUED, worker_id=None, dispatched_at=None)
    ).rowcount


def give_up_messages(connection: Connection, *, sent_before: datetime) -> int:
    """Dispatched jobs that nobody claimed in time: their messages count as lost. Returns how many."""
    return connection.execute(
        update(Job)
        .where(in_flight_as(JobStatus.DISPATCHED), Job.dispatched_at < sent_before)
        .values(status=JobStatus.QUEUED, worker_id=None, dispatched_at=None)
    ).rowcount
