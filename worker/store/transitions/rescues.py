"""Running to queued when the worker died: its jobs are retried elsewhere, marked for recovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.sql.elements import ColumnElement

from api_models.status import JobStatus
from worker.store import locks
from worker.store.states import in_flight_as, in_state
from worker.store.tables.jobs import Job
from worker.store.tables.workers import Worker
from worker.store.transitions import event_writer, losses
from worker.store.transitions.dispatches import take_back_all
from worker.store.transitions.losses import DIED_MESSAGE


@dataclass(frozen=True, slots=True)
class Rescued:
    requeued: int
    failed: int


def rescue(
    connection: Connection, dead: Sequence[UUID], *, max_attempts: int, now: datetime, apart_seconds: float = 0.0
) -> Rescued:
    """Take every job from dead workers: queue it again, or fail it if its attempts are used up.

    Jobs on their last attempt start one by one, `apart_seconds` apart: if one of them crashes its worker, the others
    must not be lost with it again.
    """
    if not dead:
        return Rescued(0, 0)
    for worker_id in dead:
        take_back_all(connection, worker_id=worker_id)
    # The rows are locked first, so that a worker that turns out to be alive settles before or after, not in between.
    # Jobs that it is settling now, or claims from now on, are left to the next rescue.
    lost_jobs = in_flight_as(JobStatus.RUNNING) & Job.worker_id.in_(dead)
    lock = select(Job.id).where(lost_jobs).with_for_update(skip_locked=True)
    locked = Job.id.in_(connection.execute(lock).scalars().all()) & in_state(JobStatus.RUNNING)
    losses.died(connection, locked, max_attempts, now=now)
    failing = (
        update(Job)
        .where(locked, Job.attempts_used >= max_attempts)
        .values(
            status=JobStatus.FAILED,
            worker_id=None,
            finished_at=now,
            recover=True,
            code="worker_lost",
            message=f"{DIED_MESSAGE} No attempts remain.",
        )
    )
    failed = connection.execute(failing.returning(Job.id)).scalars().all()
    waiting = _line_up(connection, locked & (Job.attempts_used == max_attempts - 1), apart_seconds, now)
    requeued = connection.execute(
        update(Job).where(locked).values(status=JobStatus.QUEUED, worker_id=None, recover=True)
    ).rowcount
    event_writer.ended(connection, failed, now=now)
    return Rescued(requeued=requeued + waiting, failed=len(failed))


def _line_up(connection: Connection, which: ColumnElement[bool], apart_seconds: float, now: datetime) -> int:
    if not apart_seconds:
        return 0
    later = connection.execute(select(Job.id).where(which).order_by(Job.id)).scalars().all()[1:]
    for place, job_id in enumerate(later, 1):
        connection.execute(
            update(Job)
            .where(Job.id == job_id)
            .values(
                status=JobStatus.SCHEDULED,
                not_before=now + timedelta(seconds=place * apart_seconds),
                worker_id=None,
                recover=True,
                code="worker_lost",
                message=f"{DIED_MESSAGE} The last attempt runs apart from the jobs lost with it.",
            )
        )
    return len(later)


def abandoned(connection: Connection, *, started_before: datetime) -> list[UUID]:
    """Return workers that have running jobs but are not registered as alive.

    This happens when a claim was in progress while its worker was retired and the worker died before its next
    heartbeat.
    """
    present = select(Worker.id).where(Worker.stopped_at.is_(None))
    rows = connection.execute(
        select(Job.worker_id)
        .where(in_flight_as(JobStatus.RUNNING), Job.started_at < started_before, Job.worker_id.not_in(present))
        .distinct()
    )
    return [worker_id for worker_id in rows.scalars() if worker_id is not None]


def disown(connection: Connection, jobs: Sequence[UUID], *, worker_id: UUID) -> int:
    """Queue jobs again that a living worker does not know it has: no call was made, so no attempt is used up."""
    its_own = Job.id.in_(jobs) & in_flight_as(JobStatus.RUNNING) & (Job.worker_id == worker_id)
    return connection.execute(
        update(Job)
        .where(locks.in_order(connection.dialect.name, its_own))
        .values(status=JobStatus.QUEUED, worker_id=None, recover=True, attempts_used=Job.attempts_used - 1)
    ).rowcount
