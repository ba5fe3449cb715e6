"""Jobs, counts and attempts, for display. Read-only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, func, select

from api_models.status import JobStatus
from worker.store.queries import counters
from worker.store.states import IS_WHOLE, in_state
from worker.store.tables.jobs import Attempt, Job

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Counts:
    by_status: dict[JobStatus, int] = field(default_factory=dict)
    cached: int = 0
    cost: Decimal = ZERO

    def of(self, *states: JobStatus) -> int:
        return sum(self.by_status.get(state, 0) for state in states)

    @property
    def total(self) -> int:
        return sum(self.by_status.values())


@dataclass(frozen=True, slots=True)
class JobRecord:
    id: UUID
    custom_id: str | None
    line: int | None
    batch_id: UUID | None
    tenant: str
    model: str
    text: str
    voice_1: str | None
    voice_2: str | None
    temperature: float | None
    status: JobStatus
    attempt: int
    attempts_used: int
    code: str | None
    message: str | None
    detail: str | None
    cost: Decimal
    cached: bool
    uri: str | None
    audio_bytes: int | None
    sha256: str | None
    duration_ms: int | None
    created_at: datetime
    not_before: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    request_id: str | None = None
    """The submitted request that is being polled (v2)."""
    peak_dbfs: float | None = None
    loudness_lufs: float | None = None
    silence_share: float | None = None
    audio_format: str | None = None
    purged_at: datetime | None = None
    wording: str | None = None
    """What the producer wrote, if the text was changed (`api_models.wording`)."""


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    number: int
    verdict: str
    code: str | None
    message: str | None
    detail: str | None
    cost: Decimal
    cost_estimated: bool
    possibly_billed: bool
    request_id: str | None
    take_uri: str | None
    started_at: datetime
    finished_at: datetime


def all_jobs() -> ColumnElement[bool]:
    """Select every job that a producer submitted; parts of documents are left out, here as below."""
    return IS_WHOLE


def of_batch(batch_id: UUID) -> ColumnElement[bool]:
    return (Job.batch_id == batch_id) & IS_WHOLE


def of_key(key_id: UUID) -> ColumnElement[bool]:
    return (Job.key_id == key_id) & IS_WHOLE


def counts(connection: Connection, which: ColumnElement[bool]) -> Counts:
    """Count jobs by state: from the tallies if they have the selection's columns, else job by job."""
    in_tallies = counters.about(connection, which)
    rows = _counted(connection, which) if in_tallies is None else counters.counts(connection, in_tallies)
    by_status: dict[JobStatus, int] = {}
    for status, _, number, _ in rows:
        by_status[JobStatus(status)] = by_status.get(JobStatus(status), 0) + number
    return Counts(
        by_status=by_status,
        cached=sum(number for _, cached, number, _ in rows if cached),
        cost=sum((cost for *_, cost in rows), ZERO),
    )


def _counted(connection: Connection, which: ColumnElement[bool]) -> list[tuple[str, bool, int, Decimal]]:
    rows = connection.execute(
        select(Job.status, Job.cached, func.count(), func.sum(Job.cost, type_=Job.cost.type))
        .where(which)
        .group_by(Job.status, Job.cached)
    )
    return [(status, cached, number, cost) for status, cached, number, cost in rows]


def unfinished_of_tenant(connection: Connection, tenant: str) -> dict[JobStatus, int]:
    """Count a tenant's unfinished jobs: from the tallies, or through the partial index of each state."""
    found: dict[JobStatus, int] = {}
    in_flight = in_state(JobStatus.DISPATCHED, JobStatus.RUNNING)
    for states in (in_state(JobStatus.SCHEDULED), in_state(JobStatus.QUEUED), in_flight):
        which = states & IS_WHOLE & (Job.tenant == tenant)
        if counters.about(connection, which) is not None:
            found.update(counts(connection, which).by_status)
            continue
        rows = connection.execute(select(Job.status, func.count()).where(which).group_by(Job.status))
        found.update((JobStatus(row[0]), row[1]) for row in rows)
    return found


def span(connection: Connection, which: ColumnElement[bool]) -> tuple[datetime | None, datetime | None]:
    """Return when the first selected job was submitted, and when the last finished one finished."""
    if (in_tallies := counters.about(connection, which)) is not None:
        return counters.span(connection, in_tallies)
    row = connection.execute(select(func.min(Job.created_at), func.max(Job.finished_at)).where(which)).one()
    return row[0], row[1]


_ID_DIGITS: Final = 32
_HEX: Final = frozenset("0123456789abcdef")
_JOB_COLUMNS = tuple(getattr(Job, name) for name in JobRecord.__slots__)
_ATTEMPT_COLUMNS = tuple(getattr(Attempt, name) for name in AttemptRecord.__slots__)


def _job(row: Row[Any]) -> JobRecord:
    values = dict(zip(JobRecord.__slots__, row, strict=True))
    return JobRecord(**{**values, "status": JobStatus(values["status"])})


def jobs(
    connection: Connection,
    which: ColumnElement[bool],
    *,
    states: Sequence[JobStatus] = (),
    after: UUID | None = None,
    most: int | None = None,
) -> list[JobRecord]:
    """Return jobs in the order of submission, filtered by state, in pages after an id."""
    query = select(*_JOB_COLUMNS).where(which).order_by(Job.id)
    if states:
        query = query.where(in_state(*states))
    if after is not None:
        query = query.where(Job.id > after)
    if most is not None:
        query = query.limit(most)
    return [_job(row) for row in connection.execute(query)]


def by_id_prefix(connection: Connection, prefix: str, *, most: int = 2) -> list[JobRecord]:
    """Return jobs whose id begins with these hex digits, with or without hyphens, as people copy them from a list."""
    digits = prefix.replace("-", "").lower()
    if not digits or len(digits) > _ID_DIGITS or not set(digits) <= _HEX:
        return []
    first, last = UUID(digits.ljust(_ID_DIGITS, "0")), UUID(digits.ljust(_ID_DIGITS, "f"))
    return jobs(connection, Job.id.between(first, last), most=most)


def existing(connection: Connection, job_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the ids that are jobs'."""
    return set(connection.execute(select(Job.id).where(Job.id.in_(job_ids))).scalars())


def by_custom_id(connection: Connection, custom_id: str, batch_ids: Sequence[UUID | None]) -> list[JobRecord]:
    known = [batch_id for batch_id in batch_ids if batch_id is not None]
    found = jobs(connection, Job.batch_id.in_(known) & (Job.custom_id == custom_id))
    if None in batch_ids:
        found += jobs(connection, Job.batch_id.is_(None) & (Job.custom_id == custom_id))
    return sorted(found, key=lambda job: job.id, reverse=True)


def attempts(connection: Connection, job_id: UUID) -> list[AttemptRecord]:
    rows = connection.execute(select(*_ATTEMPT_COLUMNS).where(Attempt.job_id == job_id).order_by(Attempt.number))
    return [AttemptRecord(*row) for row in rows]


_IN_FLIGHT = (
    select(Job.worker_id, func.count().label("number"))
    .where(in_state(JobStatus.DISPATCHED, JobStatus.RUNNING))
    .group_by(Job.worker_id)
)


def in_flight_by_worker(connection: Connection) -> dict[UUID | None, int]:
    rows = connection.execute(_IN_FLIGHT)
    return {row.worker_id: row.number for row in rows}
