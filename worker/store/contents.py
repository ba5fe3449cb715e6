"""What jobs say and what became of it, without the texts themselves. Reading only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import aliased

from api_models.status import JobStatus
from worker.store.tables import Job

_OTHER: Final = aliased(Job)
_NEEDED: Final = (
    select(Job.id)
    .where(Job.id.in_(bindparam("jobs", expanding=True)))
    .where(
        select(_OTHER.id)
        .where(
            _OTHER.fingerprint == Job.fingerprint,
            _OTHER.sha256 == Job.sha256,
            _OTHER.status == "succeeded",
            _OTHER.purged_at.is_(None),
            _OTHER.id.not_in(bindparam("jobs", expanding=True)),
        )
        .correlate(Job)
        .exists()
    )
)


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


def needed(connection: Connection, job_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the jobs whose audio some other job has as well: what a folder remembers of it is still wanted."""
    return set(connection.execute(_NEEDED, {"jobs": job_ids}).scalars()) if job_ids else set()
