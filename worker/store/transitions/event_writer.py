"""Events about finished jobs and batches, written in the transaction that finishes them.

Nothing is written for jobs without a subscriber. Call it after all changes to job rows: the first event takes the event
lock, and waiting for a row while holding it could deadlock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, ColumnElement, Connection, func, insert, literal_column, select

from api_models.happenings import Happening
from api_models.links import audio_path
from api_models.status import TERMINAL, JobStatus
from worker.store.outbox import events
from worker.store.states import IS_WHOLE, in_state
from worker.store.tables.jobs import Batch, Job
from worker.store.tables.webhooks import EventRow

ROWS_PER_STATEMENT: Final = 500

# Literal SQL, because SQLAlchemy's SQLite compiler omits the table's name inside RETURNING, subqueries included. There
# SQLite 3.40 also answers `IS NULL` wrongly for a column with a partial index on `IS NOT NULL`.
HAS_SUBSCRIBER: Final[ColumnElement[bool]] = literal_column(
    "(coalesce(jobs.part, 0) = 0 AND (jobs.notify OR EXISTS (SELECT 1 FROM endpoints AS listening"
    " WHERE listening.tenant = jobs.tenant AND listening.disabled_at IS NULL)))",
    Boolean,
)
"""Whether a job's end needs an event: its producer requested one, or its tenant has an endpoint. Parts have none."""

_TYPES: Final = {status: f"job.{status}" for status in TERMINAL}
_COLUMNS: Final = (
    Job.id,
    Job.tenant,
    Job.batch_id,
    Job.custom_id,
    Job.tags,
    Job.status,
    Job.model,
    Job.code,
    Job.message,
    Job.cost,
    Job.cached,
    Job.content_type,
    Job.audio_bytes,
    Job.sha256,
    Job.duration_ms,
    Job.created_at,
    Job.finished_at,
)


def has_listener(connection: Connection, which: ColumnElement[bool]) -> bool:
    return connection.execute(select(Job.id).where(which, HAS_SUBSCRIBER).limit(1)).first() is not None


def ended(connection: Connection, job_ids: Iterable[UUID], *, now: datetime) -> None:
    """Write events for jobs that have just finished and have a subscriber."""
    rest = iter(job_ids)
    while page := list(islice(rest, ROWS_PER_STATEMENT)):
        rows = connection.execute(
            select(*_COLUMNS).where(Job.id.in_(page), in_state(*sorted(TERMINAL)), HAS_SUBSCRIBER).order_by(Job.id)
        ).all()
        _write(connection, [_of_job(row, now) for row in rows])


def finished(connection: Connection, batch_id: UUID, *, now: datetime) -> None:
    row = connection.execute(select(Batch.id, Batch.tenant, Batch.name, Batch.total).where(Batch.id == batch_id)).one()
    _write(connection, [_of_batch(connection, row, now)])


def _write(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        events.take_turn(connection)
        connection.execute(insert(EventRow), rows)
        events.announce(connection)


def _of_job(row: Any, now: datetime) -> dict[str, Any]:  # noqa: ANN401 - the row of a statement that names no type
    audio = {
        "content_type": row.content_type,
        "bytes": row.audio_bytes,
        "sha256": row.sha256,
        "duration_ms": row.duration_ms,
        "url": audio_path(row.id),
    }
    data = {
        "id": str(row.id),
        "batch_id": None if row.batch_id is None else str(row.batch_id),
        "custom_id": row.custom_id,
        "tags": row.tags.strip(",").split(",") if row.tags else [],
        "status": row.status,
        "model": row.model,
        "code": row.code,
        "message": row.message,
        "cost": f"{row.cost:f}",
        "cached": row.cached,
        "audio": audio if row.status == JobStatus.SUCCEEDED else None,
        "created_at": _stamp(row.created_at),
        "finished_at": _stamp(row.finished_at),
    }
    return _event(_TYPES[JobStatus(row.status)], row.tenant, row.id, data, now)


def _of_batch(connection: Connection, row: Any, now: datetime) -> dict[str, Any]:  # noqa: ANN401 - as above
    counts = connection.execute(
        select(Job.status, func.count(), func.sum(Job.cost, type_=Job.cost.type))
        .where(Job.batch_id == row.id, IS_WHOLE)
        .group_by(Job.status)
    ).all()
    data = {
        "id": str(row.id),
        "name": row.name,
        "total": row.total,
        "counts": {status: number for status, number, _ in counts},
        "cost": f"{sum(cost for *_, cost in counts):f}",
        "finished_at": _stamp(now),
    }
    return _event(Happening.BATCH_FINISHED, row.tenant, row.id, data, now)


def _event(type: str, tenant: str, subject: UUID, data: dict[str, Any], now: datetime) -> dict[str, Any]:  # noqa: A002 - the word of the table
    return {"at": now, "type": type, "tenant": tenant, "subject": str(subject), "data": json.dumps(data)}


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
