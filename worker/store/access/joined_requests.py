"""Requests that share one job: a client that repeats a request, without an idempotency key, must not buy it twice.

The row's unique key serialises the requests of one caller for one content, in this process or another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, and_, delete, exists, or_, select, update

from api_models.status import JobStatus
from worker.store import upserts
from worker.store.states import in_state
from worker.store.tables.access import JoinedRequest
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import actions

WINDOW: Final = timedelta(minutes=15)
"""A failure that may have cost money answers the same request for this long, instead of being bought again."""

_BILLED: Final = or_(
    Job.cost > 0, exists().where(Attempt.job_id == Job.id, or_(Attempt.possibly_billed, Attempt.cost > 0))
)
_UNPAID: Final = and_(
    in_state(JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED), Job.request_id.is_(None), ~_BILLED
)
"""No call is under way, and none that ended may have been billed."""


@dataclass(frozen=True, slots=True)
class Joined:
    tenant: str
    caller: str
    fingerprint: str
    job_id: UUID
    is_new: bool


def attach(
    connection: Connection, row: dict[str, Any], *, caller: str, now: datetime, lost: UUID | None = None
) -> Joined:
    """Join the job of the same request, or submit `row` as its job. `lost` is a job whose audio is gone."""
    which = {"tenant": row["tenant"], "caller": caller, "fingerprint": row["fingerprint"]}
    fresh = {"job_id": row["id"], "clients": 1, "created_at": now}
    adding = upserts.insert(connection.dialect.name, JoinedRequest).values(**which, **fresh).on_conflict_do_nothing()
    if connection.execute(adding.returning(JoinedRequest.job_id)).one_or_none() is None:
        known: UUID = connection.execute(select(JoinedRequest.job_id).filter_by(**which).with_for_update()).scalar_one()
        if known != lost and _answers(connection, known, now=now):
            connection.execute(update(JoinedRequest).filter_by(**which).values(clients=JoinedRequest.clients + 1))
            return Joined(**which, job_id=known, is_new=False)
        connection.execute(update(JoinedRequest).filter_by(**which).values(**fresh))
    actions.submit(connection, [row])
    return Joined(**which, job_id=row["id"], is_new=True)


def leave(connection: Connection, joined: Joined, *, now: datetime, cancels: bool) -> bool:
    """Count one client less. With `cancels`, the last one cancels a job that nothing was paid for; return whether."""
    remaining = connection.execute(
        update(JoinedRequest)
        .filter_by(tenant=joined.tenant, caller=joined.caller, fingerprint=joined.fingerprint, job_id=joined.job_id)
        .values(clients=JoinedRequest.clients - 1)
        .returning(JoinedRequest.clients)
    ).scalar_one_or_none()
    if not cancels or remaining is None or remaining > 0:
        return False
    which = (Job.id == joined.job_id) & _UNPAID
    message = "Its client left before it was paid for."
    return actions.cancel(connection, which, now=now, code="client_left", message=message) > 0


def forget(connection: Connection, *, made_before: datetime) -> int:
    return connection.execute(delete(JoinedRequest).where(JoinedRequest.created_at < made_before)).rowcount


def _answers(connection: Connection, job_id: UUID, *, now: datetime) -> bool:
    """Whether this job's outcome answers the request: audio, a wait, or a failure that may have been paid for."""
    is_open = in_state(JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.RUNNING)
    has_audio = in_state(JobStatus.SUCCEEDED) & Job.purged_at.is_(None)
    failed = and_(in_state(JobStatus.FAILED), Job.finished_at > now - WINDOW, _BILLED)
    found = connection.execute(select(Job.id).where(Job.id == job_id, or_(is_open, has_audio, failed)))
    return found.one_or_none() is not None
