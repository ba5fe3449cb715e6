"""What the jobs of a batch say, without the texts themselves. Reading only."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, select

from api_models.status import JobStatus
from worker.store.tables import Job


@dataclass(frozen=True, slots=True)
class Content:
    """One of them."""

    fingerprint: str
    spoken: bool


def of_batch(connection: Connection, batch_id: UUID) -> dict[str, Content]:
    """By custom_id, in the order they were handed in; a job without one goes by its own id."""
    rows = connection.execute(
        select(Job.id, Job.custom_id, Job.fingerprint, Job.status).where(Job.batch_id == batch_id).order_by(Job.id)
    )
    return {row.custom_id or str(row.id): Content(row.fingerprint, row.status == JobStatus.SUCCEEDED) for row in rows}
