"""Batches and single jobs that finished long ago: finding them, their stored objects, and deleting their rows.

The ledger's rows remain. Remove the objects before the row: only the row leads to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, select
from sqlalchemy.orm import aliased

from api_models.status import TERMINAL, JobStatus
from worker.store import lane_takes
from worker.store.batches import BatchRecord
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, Batch, Job

_OPEN: Final = in_state(*(status for status in JobStatus if status not in TERMINAL))
_OVER: Final = in_state(*sorted(TERMINAL))
_SOME: Final = select(Job.id, Job.tenant, Job.custom_id, Job.uri, Job.sha256)
_BATCH: Final = tuple(getattr(Batch, name) for name in BatchRecord.__slots__)


@dataclass(frozen=True, slots=True)
class Old:
    batches: int
    jobs: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A finished job and its stored objects: its audio, and takes stored beside it."""

    id: UUID
    tenant: str
    custom_id: str | None
    uri: str | None
    sha256: str | None
    takes: tuple[str, ...]


def count(connection: Connection, *, before: datetime) -> Old:
    batches = connection.execute(select(func.count()).where(_old_batch(before))).scalar_one()
    of_batches = Job.batch_id.in_(select(Batch.id).where(_old_batch(before)))
    jobs, size = 0, 0
    for which in (of_batches, _single(before)):
        found, its_size = connection.execute(select(func.count(), func.sum(Job.audio_bytes)).where(which)).one()
        jobs, size = jobs + found, size + int(its_size or 0)
    return Old(batches, jobs, size)


def batches(connection: Connection, *, before: datetime, after: UUID, most: int) -> list[BatchRecord]:
    query = select(*_BATCH).where(_old_batch(before), Batch.id > after).order_by(Batch.id).limit(most)
    return [BatchRecord(*row) for row in connection.execute(query)]


def of_batch(connection: Connection, batch_id: UUID, *, most: int) -> list[Stored]:
    """Return some of its finished jobs. Each call returns others, provided that the previous ones were forgotten."""
    return _stored(connection, _SOME.where(Job.batch_id == batch_id, _OVER).limit(most))


def single(connection: Connection, *, before: datetime, after: UUID, most: int) -> list[Stored]:
    return _stored(connection, _SOME.where(_single(before), Job.id > after).order_by(Job.id).limit(most))


def claimed_by_others(connection: Connection, batch: BatchRecord, jobs: Iterable[Stored]) -> set[str]:
    """Return those of the jobs' objects that belong to another batch's job now: batches may share a folder."""
    if batch.output_url is None:
        return set()
    names = [job.custom_id for job in jobs if job.custom_id is not None]
    others = select(Batch.id).where(Batch.output_url == batch.output_url, Batch.id != batch.id)
    query = select(Job.uri).where(Job.batch_id.in_(others), Job.custom_id.in_(names), Job.uri.is_not(None))
    return {uri for uri in connection.execute(query).scalars() if uri is not None}


def forget(connection: Connection, jobs: Collection[UUID]) -> int:
    return connection.execute(delete(Job).where(Job.id.in_(jobs), _OVER)).rowcount


def forget_batch(connection: Connection, batch_id: UUID) -> bool:
    empty = ~exists().where(Job.batch_id == Batch.id).correlate(Batch)
    forgotten = connection.execute(delete(Batch).where(Batch.id == batch_id, empty)).rowcount > 0
    if forgotten:
        lane_takes.forget(connection, batch_id)
    return forgotten


def _old_batch(before: datetime) -> ColumnElement[bool]:
    is_open = exists().where(Job.batch_id == Batch.id, _OPEN).correlate(Batch)
    return (Batch.finished_at < before) & ~is_open


def _single(before: datetime) -> ColumnElement[bool]:
    document = aliased(Job, name="document")
    is_awaited = exists().where(document.id == Job.parent, document.finished_at.is_(None)).correlate(Job)
    return Job.batch_id.is_(None) & _OVER & (Job.finished_at < before) & ~is_awaited


def _stored(connection: Connection, query: Select[UUID, str, str | None, str | None, str | None]) -> list[Stored]:
    rows = connection.execute(query).all()
    takes = _takes(connection, [row.id for row in rows])
    return [Stored(*row, takes=tuple(takes.get(row.id, ()))) for row in rows]


def _takes(connection: Connection, jobs: Sequence[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {}
    query = select(Attempt.job_id, Attempt.take_uri).where(Attempt.job_id.in_(jobs), Attempt.take_uri.is_not(None))
    for job_id, uri in connection.execute(query):
        found.setdefault(job_id, []).append(str(uri))
    return found
