"""Corrects the fingerprint of a running job whose audio comes from another API than its producer chose."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, update

from api_models.status import JobStatus
from worker.store.states import in_state
from worker.store.tables.jobs import Job
from worker.store.transitions.claims import Claim

_RELABEL = (
    update(Job)
    .where(Job.id == bindparam("job"), in_state(JobStatus.RUNNING), Job.attempt == bindparam("number"))
    .values(fingerprint=bindparam("content"))
)
_BOUGHT = (
    select(Job.id)
    .where(Job.fingerprint == bindparam("content"), in_state(JobStatus.SUCCEEDED), Job.purged_at.is_(None))
    .limit(1)
)


def relabel(connection: Connection, claim: Claim, fingerprint: str) -> UUID | None:
    connection.execute(_RELABEL, {"job": claim.job_id, "number": claim.attempt, "content": fingerprint})
    found: Any = connection.execute(_BOUGHT, {"content": fingerprint}).scalars().first()
    return found if claim.use_cache else None
