"""When the text and audio of jobs are removed, and the record that they were. The row and the ledger remain.

Only finished jobs are dated or blanked, and only if unchanged since they were read: a job that is retried meanwhile
keeps both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, or_, select, update

from api_models.status import TERMINAL
from worker.store import documents, locks, takes
from worker.store.documents import of_documents
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, DocumentRow, Job

_OVER: Final = in_state(*sorted(TERMINAL))


@dataclass(frozen=True, slots=True)
class Due:
    id: UUID
    tenant: str
    batch_id: UUID | None
    uri: str | None
    finished_at: datetime
    sha256: str | None = None
    timings: str | None = None
    provenance: bool | None = None


_UNDATED = (
    select(Job.id, Job.finished_at, Job.expires_after)
    .where(Job.expires_after.is_not(None), Job.purge_at.is_(None), Job.finished_at.is_not(None))
    .order_by(Job.finished_at)
    .limit(bindparam("most"))
)
_DATE = (
    update(Job)
    .where(Job.id == bindparam("job"), Job.finished_at == bindparam("ended"), Job.purge_at.is_(None))
    .values(purge_at=bindparam("at"))
)
_DUE = (
    select(*(getattr(Job, name) for name in Due.__slots__))
    .where(Job.purge_at <= bindparam("now"), Job.purged_at.is_(None), _OVER)
    .order_by(Job.purge_at)
    .limit(bindparam("most"))
)
_THESE = select(*(getattr(Job, name) for name in Due.__slots__)).where(
    Job.id.in_(bindparam("jobs", expanding=True)), Job.purge_at.is_not(None), Job.purged_at.is_(None), _OVER
)
_KEPT_TAKES = select(Attempt.job_id, Attempt.take_uri).where(
    Attempt.job_id.in_(bindparam("jobs", expanding=True)), Attempt.take_uri.is_not(None)
)
_BLANK = (
    update(Job)
    .where(Job.id == bindparam("job"), Job.finished_at == bindparam("ended"), Job.purged_at.is_(None), _OVER)
    .values(text="", extra=None, audio_tags=None, wording=None, purged_at=bindparam("now"))
)
_FORGET_TAKES = update(Attempt).where(Attempt.job_id == bindparam("job"), Attempt.take_uri.is_not(None))
_FORGET_TAKES = _FORGET_TAKES.values(take_uri=None)
_LATER = (
    update(Job)
    .where(Job.id == bindparam("job"), Job.purge_at.is_not(None), Job.purged_at.is_(None))
    .values(purge_at=bindparam("at"))
)


def pending(soon: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether jobs wait for their date, or their removal is due by then."""
    undated = Job.expires_after.is_not(None) & Job.purge_at.is_(None) & Job.finished_at.is_not(None)
    return or_(exists().where(undated), exists().where(Job.purge_at <= soon, Job.purged_at.is_(None), _OVER))


def date(connection: Connection, *, most: int) -> int:
    """Compute the removal date of finished jobs, oldest first. Returns how many."""
    rows = connection.execute(_UNDATED, {"most": most}).all()
    dated = [
        {"job": row.id, "ended": row.finished_at, "at": row.finished_at + timedelta(seconds=row.expires_after)}
        for row in rows
    ]
    if dated:
        connection.execute(_DATE, _in_order(dated))
        documents.date_parts(connection, [one["job"] for one in dated])
    return len(dated)


def ask(connection: Connection, which: ColumnElement[bool], *, now: datetime) -> tuple[int, int]:
    """Make text and audio of finished jobs due now. Returns how many are due, and how many others are unfinished."""
    waiting = (which | of_documents(which & _OVER)) & _OVER & Job.purged_at.is_(None)
    dated = connection.execute(
        update(Job).where(locks.in_order(connection.dialect.name, waiting)).values(purge_at=now)
    ).rowcount
    return dated, connection.execute(select(func.count()).select_from(Job).where(which & ~_OVER)).scalar_one()


def due(connection: Connection, *, most: int, now: datetime) -> list[Due]:
    return [Due(*row) for row in connection.execute(_DUE, {"most": most, "now": now})]


def asked_for(connection: Connection, job_ids: Sequence[UUID]) -> list[Due]:
    return [Due(*row) for row in connection.execute(_THESE, {"jobs": job_ids})]


def kept_takes(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    found: dict[UUID, list[str]] = {}
    for job_id, uri in connection.execute(_KEPT_TAKES, {"jobs": job_ids}):
        if uri is not None:
            found.setdefault(job_id, []).append(uri)
    return found


def beside(connection: Connection, job_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Return the URIs of the files stored beside documents' recordings, which hold their text."""
    query = select(DocumentRow.job_id, DocumentRow.sidecars)
    rows = connection.execute(query.where(DocumentRow.job_id.in_(job_ids), DocumentRow.sidecars.is_not(None)))
    return {job_id: list(json.loads(sidecars).values()) for job_id, sidecars in rows if sidecars is not None}


def blank(connection: Connection, jobs: Sequence[Due], *, now: datetime) -> None:
    """Remove the texts of jobs whose objects are removed. A job that was retried meanwhile keeps its text."""
    if jobs:
        connection.execute(_BLANK, _in_order([{"job": job.id, "ended": job.finished_at, "now": now} for job in jobs]))
        connection.execute(_FORGET_TAKES, _in_order([{"job": job.id} for job in jobs]))
        takes.forget_texts(connection, [job.id for job in jobs])
        documents.forget_plans(connection, [job.id for job in jobs])


def put_off(connection: Connection, job_ids: Sequence[UUID], *, until: datetime) -> None:
    """Retry these later, so that jobs behind them don't wait for objects that cannot be removed now."""
    if job_ids:
        connection.execute(_LATER, _in_order([{"job": job_id, "at": until} for job_id in job_ids]))


def _in_order(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(values, key=lambda one: one["job"])  # as in `locks`: it waits for a row while holding others
