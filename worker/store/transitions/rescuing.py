"""Running to queued, when the worker died: its jobs go on elsewhere, marked for recovery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, literal, select, update
from sqlalchemy.sql.elements import ColumnElement

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.store.states import in_flight_as
from worker.store.tables import Attempt, Job
from worker.store.transitions.dispatching import take_back_all
from worker.store.types import Money

LOST_MESSAGE = "The worker died in the middle of this attempt."


@dataclass(frozen=True, slots=True)
class Rescued:
    """What a rescue did."""

    requeued: int
    failed: int
    """Jobs that had used up their attempts; a text that kills its worker ends here."""


def rescue(connection: Connection, dead: Sequence[UUID], *, max_attempts: int, now: datetime) -> Rescued:
    """Take every job from the dead workers: back to queued, or failed where its attempts are used up."""
    if not dead:
        return Rescued(0, 0)
    for worker_id in dead:
        take_back_all(connection, worker_id=worker_id)
    theirs = (in_flight_as(JobStatus.RUNNING), Job.worker_id.in_(dead))
    # The rows are locked first, so that a worker that turns out to be alive settles before or after, not between.
    locked = connection.execute(select(Job.id).where(*theirs).with_for_update()).all()
    if not locked:
        return Rescued(0, 0)
    _record_lost(connection, theirs, now)
    failed = connection.execute(
        update(Job)
        .where(*theirs, Job.attempts_used >= max_attempts)
        .values(
            status=JobStatus.FAILED,
            worker_id=None,
            finished_at=now,
            recover=True,
            code="worker_lost",
            message=f"{LOST_MESSAGE} It was the last one permitted.",
        )
    ).rowcount
    requeued = connection.execute(
        update(Job).where(*theirs).values(status=JobStatus.QUEUED, worker_id=None, recover=True)
    ).rowcount
    return Rescued(requeued=requeued, failed=failed)


def disown(connection: Connection, jobs: Sequence[UUID], *, worker_id: UUID) -> int:
    """A living worker gives back jobs that it never knew it had: nothing was called, so no attempt is used up."""
    return connection.execute(
        update(Job)
        .where(Job.id.in_(jobs), in_flight_as(JobStatus.RUNNING), Job.worker_id == worker_id)
        .values(status=JobStatus.QUEUED, worker_id=None, recover=True, attempts_used=Job.attempts_used - 1)
    ).rowcount


def _record_lost(connection: Connection, theirs: tuple[ColumnElement[bool], ...], now: datetime) -> None:
    """A ledger row for each lost attempt. Whether its call was billed is unknown until its audio turns up."""
    columns: dict[str, Any] = {
        "job_id": Job.id,
        "number": Job.attempt,
        "tenant": Job.tenant,
        "batch_id": Job.batch_id,
        "worker_id": Job.worker_id,
        "model": Job.model,
        "started_at": Job.started_at,
        "finished_at": literal(now, Job.started_at.type),
        "verdict": literal(str(VerdictKind.LOST)),
        "code": literal("worker_lost"),
        "message": literal(LOST_MESSAGE),
        "cost": literal(0, Money.impl),
        "cost_estimated": literal(False),  # noqa: FBT003 - a column's value
        "possibly_billed": literal(True),  # noqa: FBT003 - a column's value
        "noted": literal(False),  # noqa: FBT003 - a column's value
    }
    connection.execute(insert(Attempt).from_select(list(columns), select(*columns.values()).where(*theirs)))
