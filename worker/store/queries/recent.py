"""The jobs spoken last, in bounded time however long the queue is. Reading only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, select

from api_models.status import JobStatus
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, Job

ATTEMPTS_READ: Final = 200
"""No index leads to succeeded jobs by time, but one does to attempts."""


@dataclass(frozen=True, slots=True)
class Spoken:
    id: UUID
    tenant: str
    batch_id: UUID | None
    uri: str
    fingerprint: str
    sha256: str
    audio_bytes: int | None


def spoken(connection: Connection, *, most: int) -> list[Spoken]:
    """Succeeded jobs among the latest attempts, newest first, whose audio wasn't purged."""
    latest = select(Attempt.job_id).order_by(Attempt.finished_at.desc()).limit(ATTEMPTS_READ).subquery()
    query = (
        select(*(getattr(Job, name) for name in Spoken.__slots__))
        .where(Job.id.in_(select(latest.c.job_id)), in_state(JobStatus.SUCCEEDED), Job.purged_at.is_(None))
        .order_by(Job.finished_at.desc())
        .limit(most)
    )
    return [Spoken(*row) for row in connection.execute(query)]
