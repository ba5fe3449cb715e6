"""One tenant's view of its jobs, batches and events, in pages. Read-only; never includes another tenant's rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select, union_all

from api_models.status import TERMINAL, JobStatus
from worker.store.states import IS_WHOLE, in_state, of_page
from worker.store.tables.jobs import Batch, Job
from worker.store.tables.webhooks import EventRow


@dataclass(frozen=True, slots=True)
class JobEntry:
    id: UUID
    tenant: str
    batch_id: UUID | None
    custom_id: str | None
    tags: str | None
    status: str
    model: str
    voice_1: str | None
    voice_2: str | None
    temperature: float | None
    text: str
    priority: int
    not_before: datetime | None
    deadline: datetime | None
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
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    audio_format: str | None
    target_lufs: float | None
    sample_rate: int | None
    mp3_bitrate: int | None
    audio_tags: str | None
    expires_after: int | None
    purged_at: datetime | None
    wording: str | None
    parts: int | None
    timings: str | None
    provenance: bool | None
    part: int | None


@dataclass(frozen=True, slots=True)
class BatchEntry:
    id: UUID
    tenant: str
    name: str
    output_url: str | None
    total: int
    max_cost: Decimal | None
    created_at: datetime
    paused_at: datetime | None
    finished_at: datetime | None
    results_uri: str | None


@dataclass(frozen=True, slots=True)
class EventEntry:
    id: int
    at: datetime
    type: str
    subject: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PageFilter:
    tenant: str
    states: tuple[JobStatus, ...] = ()
    batch_id: UUID | None = None
    tag: str | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def selections(self, dialect: str) -> list[list[ColumnElement[bool]]]:
        """The terms of each state, or of all: along an index each state's jobs are in order, those of several not."""
        return [[of_page(state, dialect), *self._terms()] for state in dict.fromkeys(self.states)] or [self._terms()]

    def _terms(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [Job.tenant == self.tenant, IS_WHOLE]
        if self.batch_id is not None:
            found.append(Job.batch_id == self.batch_id)
        if self.tag is not None:
            found.append(Job.tags.contains(f",{self.tag},", autoescape=True))
        if self.code is not None:
            found.append(Job.code == self.code)
        if self.since is not None:
            found.append(Job.created_at >= self.since)
        if self.until is not None:
            found.append(Job.created_at < self.until)
        return found


_JOB = tuple(getattr(Job, name) for name in JobEntry.__slots__)
_BATCH = tuple(getattr(Batch, name) for name in BatchEntry.__slots__)
_ONE_JOB = select(*_JOB).where(Job.id == bindparam("job"), Job.tenant == bindparam("owner"))
_BOUGHT = (
    select(*_JOB)
    .where(
        Job.fingerprint.in_(bindparam("contents", expanding=True)),
        in_state(JobStatus.SUCCEEDED),
        IS_WHOLE,
        Job.tenant == bindparam("owner"),
        Job.purged_at.is_(None),
    )
    .order_by(Job.id.desc())
    .limit(1)
)
_OVER = select(Job.id).where(Job.id.in_(bindparam("jobs", expanding=True)), in_state(*sorted(TERMINAL)))


def job(connection: Connection, tenant: str, job_id: UUID) -> JobEntry | None:
    row = connection.execute(_ONE_JOB, {"job": job_id, "owner": tenant}).one_or_none()
    return None if row is None else JobEntry(*row)


def bought(connection: Connection, tenant: str, fingerprints: Sequence[str]) -> JobEntry | None:
    """Return the tenant's latest job with one of these contents whose audio is kept."""
    row = connection.execute(_BOUGHT, {"contents": list(fingerprints), "owner": tenant}).one_or_none()
    return None if row is None else JobEntry(*row)


def jobs(
    connection: Connection,
    wanted: PageFilter,
    *,
    before: UUID | None,
    most: int,
    also: Sequence[ColumnElement[bool]] = (),
) -> list[JobEntry]:
    further = [*also] if before is None else [*also, Job.id < before]
    selections = [[*terms, *further] for terms in wanted.selections(connection.dialect.name)]
    # In the order of the index of a state, or planners would rather read past other tenants' rows along the key.
    order = [Job.status.desc(), Job.id.desc()] if wanted.states else [Job.id.desc()]
    pages = [select(Job.id).where(*terms).order_by(*order).limit(most) for terms in selections]
    ids = union_all(*(select(page.subquery().c.id) for page in pages)).subquery()
    newest = select(ids.c.id).order_by(ids.c.id.desc()).limit(most)
    query = select(*_JOB).where(Job.id.in_(newest)).order_by(Job.id.desc())
    return [JobEntry(*row) for row in connection.execute(query)]


def in_order(connection: Connection, batch_id: UUID, *, after: UUID | None, most: int) -> list[JobEntry]:
    query = select(*_JOB).where(Job.batch_id == batch_id, IS_WHOLE)
    if after is not None:
        query = query.where(Job.id > after)
    return [JobEntry(*row) for row in connection.execute(query.order_by(Job.id).limit(most))]


def over(connection: Connection, job_ids: Sequence[UUID]) -> set[UUID]:
    return set(connection.execute(_OVER, {"jobs": list(job_ids)}).scalars())


def batch(connection: Connection, tenant: str, batch_id: UUID) -> BatchEntry | None:
    row = connection.execute(select(*_BATCH).where(Batch.id == batch_id, Batch.tenant == tenant)).one_or_none()
    return None if row is None else BatchEntry(*row)


def batches(connection: Connection, tenant: str, *, before: UUID | None, most: int) -> list[BatchEntry]:
    query = select(*_BATCH).where(Batch.tenant == tenant)
    if before is not None:
        query = query.where(Batch.id < before)
    return [BatchEntry(*row) for row in connection.execute(query.order_by(Batch.id.desc()).limit(most))]


def events(
    connection: Connection, tenant: str, *, after: int, most: int, types: Sequence[str] = ()
) -> list[EventEntry]:
    # Read apart, each along its index: among the events of many tenants those of a quiet one are rare.
    theirs, everyones = (
        _events(which, after, most, types) for which in (EventRow.tenant == tenant, EventRow.tenant.is_(None))
    )
    found = union_all(select(theirs.subquery()), select(everyones.subquery())).subquery()
    rows = connection.execute(select(found).order_by(found.c.id).limit(most))
    return [EventEntry(row[0], row[1], row[2], row[3], json.loads(row[4])) for row in rows]


def _events(
    which: ColumnElement[bool], after: int, most: int, types: Sequence[str]
) -> Select[int, datetime, str, str, str]:
    query = select(EventRow.id, EventRow.at, EventRow.type, EventRow.subject, EventRow.data)
    query = query.where(which, EventRow.id > after)
    if types:
        query = query.where(EventRow.type.in_(types))
    return query.order_by(EventRow.id).limit(most)


def latest_events(connection: Connection, tenant: str, type: str, *, most: int) -> list[EventEntry]:  # noqa: A002 - the column's name
    """Return the tenant's own events of one type, the newest first."""
    query = select(EventRow.id, EventRow.at, EventRow.type, EventRow.subject, EventRow.data)
    query = query.where(EventRow.tenant == tenant, EventRow.type == type).order_by(EventRow.id.desc())
    return [EventEntry(*row[:4], json.loads(row[4])) for row in connection.execute(query.limit(most))]


OwnedEvent = tuple[str | None, EventEntry]
"""An event and its tenant; None for the whole account."""


def all_events(connection: Connection, *, after: int, most: int) -> list[OwnedEvent]:
    query = select(EventRow.tenant, EventRow.id, EventRow.at, EventRow.type, EventRow.subject, EventRow.data)
    rows = connection.execute(query.where(EventRow.id > after).order_by(EventRow.id).limit(most))
    return [(row[0], EventEntry(*row[1:5], json.loads(row[5]))) for row in rows]


def last_event(connection: Connection) -> int:
    return connection.execute(select(func.coalesce(func.max(EventRow.id), 0))).scalar_one()
