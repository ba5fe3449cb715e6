"""Jobs of a restored database: which may have been bought after the backup, and how to adopt the stored audio.

No worker may run meanwhile: a job that the backup shows as running is not running.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Integer, String, bindparam, func, select, update

from api_models.status import TERMINAL, JobStatus
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import claims
from worker.store.transitions.claims import CLAIM_COLUMNS, Claim

_OPEN: Final = in_state(*(status for status in JobStatus if status not in TERMINAL))
_UNFINISHED = select(*CLAIM_COLUMNS).where(_OPEN, Job.id > bindparam("after")).order_by(Job.id).limit(bindparam("most"))
_TAKE_OVER = (
    update(Job)
    .where(_OPEN, Job.id == bindparam("job"), Job.attempt == bindparam("known"))
    .values(
        status=JobStatus.RUNNING,
        attempt=bindparam("number", type_=Integer),
        attempts_used=Job.attempts_used + 1,
        recover=True,
        fingerprint=func.coalesce(func.nullif(bindparam("content", type_=String), ""), Job.fingerprint),
        worker_id=bindparam("worker"),
        started_at=bindparam("now"),
    )
    .returning(*CLAIM_COLUMNS)
)
_MARK = update(Job).where(Job.id.in_(bindparam("jobs", expanding=True)), _OPEN, ~Job.recover).values(recover=True)
_LATEST = select(func.coalesce(func.max(Attempt.number), 0)).where(Attempt.job_id == bindparam("job"))


def unfinished(connection: Connection, *, after: UUID, most: int, now: datetime) -> list[Claim]:
    """Jobs that were unfinished when the backup was taken, ordered by id."""
    rows = connection.execute(_UNFINISHED, {"after": after, "most": most})
    return [claims.claimed(row, after, now) for row in rows]


def take_over(
    connection: Connection, job: Claim, source: int, content: str, *, by: UUID, now: datetime
) -> Claim | None:
    """Claim a job for the content that attempt `source` stored; None if the job has changed since it was read.

    The claim's number is higher than any attempt's, so that a worker from before the restore cannot settle it.
    """
    latest = connection.execute(_LATEST, {"job": job.job_id}).scalar_one()
    number = max(job.attempt + 1, latest + 1, source)
    values = {"job": job.job_id, "known": job.attempt, "number": number, "content": content}
    row: Any = connection.execute(_TAKE_OVER, values | {"worker": by, "now": now}).one_or_none()
    return None if row is None else claims.claimed(row, by, now)


def known_takes(connection: Connection, jobs: Sequence[UUID]) -> set[str]:
    query = select(Attempt.take_uri).where(Attempt.job_id.in_(jobs), Attempt.take_uri.is_not(None))
    return {uri for uri in connection.execute(query).scalars() if uri is not None}


def mark(connection: Connection, jobs: Sequence[UUID]) -> int:
    return connection.execute(_MARK, {"jobs": jobs}).rowcount if jobs else 0
