"""How the jobs of a batch ended, and the batch's resulting state. Parts of documents are left out. Read-only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, literal_column, select
from sqlalchemy.orm import aliased

from api_models.status import TERMINAL, JobStatus
from worker.store.states import IS_WHOLE, in_state
from worker.store.tables.jobs import Attempt, Job

ATTEMPTS_READ: Final = 200
"""No index leads to succeeded jobs by time, but one does to attempts."""
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
    .where(Job.batch_id == bindparam("batch"), IS_WHOLE, in_state(JobStatus.SUCCEEDED), Job.purged_at.is_(None))
    .where(Job.id > bindparam("after"))
    .order_by(Job.id)
    .limit(bindparam("most"))
)


def audio(connection: Connection, batch_id: UUID, *, after: UUID | None, most: int) -> list[Audio]:
    values = {"batch": batch_id, "after": after or UUID(int=0), "most": most}
    return [Audio(*row) for row in connection.execute(_AUDIO, values)]


def of_batch(connection: Connection, batch_id: UUID) -> dict[str, Content]:
    rows = connection.execute(
        select(Job.id, Job.custom_id, Job.fingerprint, Job.status)
        .where(Job.batch_id == batch_id, IS_WHOLE)
        .order_by(Job.id)
    )
    return {row.custom_id or str(row.id): Content(row.fingerprint, row.status == JobStatus.SUCCEEDED) for row in rows}


def needed(connection: Connection, job_ids: Sequence[UUID]) -> set[UUID]:
    """Return those of the jobs whose audio another job refers to as well: the folder's record of it is still needed."""
    return set(connection.execute(_NEEDED, {"jobs": job_ids}).scalars()) if job_ids else set()


ROWS_PER_FETCH: Final = 1_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """One job without its text: a text may have to be removed later, and the file would still contain it."""

    id: UUID
    custom_id: str | None
    line: int | None
    status: str
    model: str
    voice_1: str | None
    voice_2: str | None
    tags: str | None
    attempt: int
    code: str | None
    message: str | None
    cost: Decimal
    cached: bool
    uri: str | None
    content_type: str | None
    audio_bytes: int | None
    sha256: str | None
    duration_ms: int | None
    finished_at: datetime | None
    extra: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Identifies a batch's state: every retry adds an attempt or a later end."""

    jobs: int = 0
    attempts: int = 0
    ended_at: datetime | None = None

    def with_job(self, job: Outcome) -> Standing:
        ends = [moment for moment in (self.ended_at, job.finished_at) if moment is not None]
        return Standing(self.jobs + 1, self.attempts + job.attempt, max(ends, default=None))


_IN_ORDER = (
    select(*(getattr(Job, name) for name in Outcome.__slots__))
    .where(Job.batch_id == bindparam("batch"), IS_WHOLE)
    .order_by(Job.id)
    .execution_options(yield_per=ROWS_PER_FETCH)
)
_EXTRAS = (
    select(Job.extra)
    .where(Job.batch_id == bindparam("batch"), IS_WHOLE, Job.extra.is_not(None))
    .order_by(Job.id)
    .execution_options(yield_per=ROWS_PER_FETCH)
)
_STANDING = select(func.count(), func.coalesce(func.sum(Job.attempt), 0), func.max(Job.finished_at)).where(
    Job.batch_id == bindparam("batch"), IS_WHOLE
)
_OPEN = (
    select(Job.id)
    .where(Job.batch_id == bindparam("batch"), in_state(*(status for status in JobStatus if status not in TERMINAL)))
    .limit(1)
)


def in_order(connection: Connection, batch_id: UUID) -> Iterator[Outcome]:
    """Yield the jobs of a batch in the order of submission, from one snapshot, in chunks."""
    for row in connection.execute(_IN_ORDER, {"batch": batch_id}):
        yield Outcome(*row)


def extra_names(connection: Connection, batch_id: UUID) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for (extra,) in connection.execute(_EXTRAS, {"batch": batch_id}):
        names.update(dict.fromkeys(json.loads(extra or "{}")))
    return tuple(names)


def standing(connection: Connection, batch_id: UUID) -> Standing | None:
    """Return None if the batch has unfinished jobs."""
    if connection.execute(_OPEN, {"batch": batch_id}).first() is not None:
        return None
    jobs, attempts, ended_at = connection.execute(_STANDING, {"batch": batch_id}).one()
    return Standing(jobs, int(attempts), ended_at)


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
