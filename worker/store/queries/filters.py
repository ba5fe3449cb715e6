"""Selections of jobs, used by views and by commands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from api_models.status import TERMINAL, JobStatus
from worker.store import documents
from worker.store.queries import jobs
from worker.store.states import IS_DOCUMENT
from worker.store.tables.jobs import Job


def selection(
    *,
    batch_id: UUID | None = None,
    states: Sequence[JobStatus] = (),
    code: str | None = None,
    job_ids: Sequence[UUID] = (),
) -> ColumnElement[bool]:
    """Jobs that match every given condition; all jobs without one."""
    terms = [jobs.all_jobs() if batch_id is None else jobs.of_batch(batch_id)]
    if states:
        terms.append(Job.status.in_([str(state) for state in states]))
    if code is not None:
        terms.append(Job.code == code)
    if job_ids:
        terms.append(Job.id.in_(job_ids))
    return and_(*terms)


def in_batch(batch_id: UUID) -> ColumnElement[bool]:
    """As `jobs.of_batch`, parts of documents included: to narrow a selection."""
    return Job.batch_id == batch_id


def of_key(key_id: UUID) -> ColumnElement[bool]:
    """As `jobs.of_key`, likewise."""
    return Job.key_id == key_id


def spoken(connection: Connection, which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Select the chosen parts of documents in place of the documents. Returns `which` itself if it has no documents."""
    if not documents.has_documents(connection, which):
        return which
    return or_(and_(which, ~IS_DOCUMENT), and_(documents.of_documents(which), documents.CHOSEN))


def ids(connection: Connection, which: ColumnElement[bool]) -> list[UUID]:
    return list(connection.execute(select(Job.id).where(which).order_by(Job.id)).scalars())


def of_model(which: ColumnElement[bool], model: str) -> ColumnElement[bool]:
    return and_(which, Job.model == model)


def of_tenant(which: ColumnElement[bool], tenant: str) -> ColumnElement[bool]:
    return and_(which, Job.tenant == tenant)


def both(one: ColumnElement[bool], other: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(one, other)


def either(selections: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """`selections` must not be empty."""
    return or_(*selections)


def unfinished(which: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(which, Job.status.not_in([str(state) for state in TERMINAL]))


def finished_since(which: ColumnElement[bool], moment: datetime) -> ColumnElement[bool]:
    return and_(which, Job.finished_at >= moment)
