"""What jobs say and what became of it, without the texts themselves. Reading only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, literal_column, select
from sqlalchemy.orm import aliased

from api_models.status import JobStatus
from worker.store.states import in_state
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
            _OTHER.status == literal_column("'succeeded'"),
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


@dataclass(frozen=True, slots=True)
class Audio:
    """The recorded audio of a job that succeeded and was not purged."""

    id: UUID
    custom_id: str | None
    uri: str
    sha256: str
    audio_bytes: int | None


_AUDIO: Final = (
    select(*(getattr(Job, name) for name in Audio.__slots__))
    .where(Job.batch_id == bindparam("batch"), in_state(JobStatus.SUCCEEDED), Job.purged_at.is_(None))
    .where(Job.id > bindparam("after"))
    .order_by(Job.id)
    .limit(bindparam("most"))
)


def audio(connection: Connection, batch_id: UUID, *, after: UUID | None, most: int) -> list[Audio]:
    """Of a batch's jobs, in the order of their ids, behind `after`."""
    values = {"batch": batch_id, "after": after or UUID(int=0), "most": most}
    return [Audio(*row) for row in connection.execute(_AUDIO, values)]


def of_batch(connection: Connection, batch_id: UUID) -> dict[str, Content]:
    """By custom_id, in the order they were handed in; a job without one goes by its own id."""
    rows = connection.execute(
        select(Job.id, Job.custom_id, Job.fingerprint, Job.status).where(Job.batch_id == batch_id).order_by(Job.id)
    )
    return {row.custom_id or str(row.id): Content(row.fingerprint, row.status == JobStatus.SUCCEEDED) for row in rows}


def needed(connection: Connection, job_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the jobs whose audio some other job has as well: what a folder remembers of it is still wanted."""
    return set(connection.execute(_NEEDED, {"jobs": job_ids}).scalars()) if job_ids else set()
