"""A document between its parts and its recording: it waits for them, is queued to be joined, fails or expires.

Its own row is scheduled while parts are unfinished. The leading process calls `advance`; every statement is guarded by
that state, so a second caller changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, exists, update
from sqlalchemy.orm import aliased

from api_models.status import TERMINAL, JobStatus
from worker.store import documents, totals
from worker.store.documents import AWAITS_PARTS, FAR, OpenDocument, PartCounts
from worker.store.states import IS_DOCUMENT, in_state
from worker.store.tables.jobs import Job
from worker.store.transitions import event_writer

DEADLINE_MESSAGE: Final = "No part had started by the deadline; nothing was paid."
_PART: Final = aliased(Job, name="its_part")
_UNFINISHED: Final = (
    exists()
    .where(_PART.parent == Job.id, _PART.chosen.is_(True), _PART.status.not_in([str(one) for one in TERMINAL]))
    .correlate(Job)
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document can't be joined: its first failed part."""

    code: str
    message: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A document and its parts at one moment."""

    row: OpenDocument
    counts: PartCounts

    @property
    def is_complete(self) -> bool:
        return self.counts.of(JobStatus.SUCCEEDED) == self.row.parts

    @property
    def has_failed(self) -> bool:
        return not self.counts.unfinished and not self.is_complete

    def is_late(self, now: datetime) -> bool:
        return self.row.deadline is not None and self.row.deadline <= now and not self.counts.started


def waiting(connection: Connection) -> list[Waiting]:
    rows = documents.waiting(connection)
    found = documents.counts(connection, [row.id for row in rows]) if rows else {}
    return [Waiting(row, found[row.id]) for row in rows]


def advance(
    connection: Connection, found: Sequence[Waiting], failures: Mapping[UUID, Failure], *, now: datetime
) -> int:
    """Queue complete documents to be joined, and end those that can't be. Returns how many.

    `failures` has the reason of each document of which a part has failed.
    """
    documents.add_up(connection, Job.id.in_([one.row.id for one in found if one.counts.started]))
    changed = [one.row.id for one in found if one.is_complete]
    _change(connection, changed, status=JobStatus.QUEUED, not_before=None, recover=True)
    failed, expired = list(_failed(connection, found, failures, now)), list(_expired(connection, found, now))
    totals.jobs_ended(connection, JobStatus.FAILED, len(failed))
    totals.jobs_ended(connection, JobStatus.EXPIRED, len(expired))
    ended = [*failed, *expired]
    _begun(connection, [one.row.id for one in found if one.row.started_at is None and one.counts.started], now)
    event_writer.ended(connection, ended, now=now)
    return len(changed) + len(ended)


def _failed(
    connection: Connection, found: Sequence[Waiting], failures: Mapping[UUID, Failure], now: datetime
) -> Iterator[UUID]:
    for one in found:
        if (reason := failures.get(one.row.id)) is not None and one.has_failed:
            end = {"finished_at": now, "code": reason.code, "message": reason.message, "detail": reason.detail}
            if _change(connection, [one.row.id], status=JobStatus.FAILED, **end):
                yield one.row.id


def _expired(connection: Connection, found: Sequence[Waiting], now: datetime) -> Iterator[UUID]:
    for one in found:
        if one.is_late(now):
            end = {"finished_at": now, "code": "deadline", "message": DEADLINE_MESSAGE}
            parts = (Job.parent == one.row.id) & ~in_state(*sorted(TERMINAL))
            connection.execute(update(Job).where(parts).values(status=JobStatus.EXPIRED, worker_id=None, **end))
            if _change(connection, [one.row.id], status=JobStatus.EXPIRED, **end):
                yield one.row.id


def _change(connection: Connection, jobs: Sequence[UUID], **values: object) -> int:
    if not jobs:
        return 0
    which: ColumnElement[bool] = Job.id.in_(jobs) & AWAITS_PARTS & ~_UNFINISHED
    return connection.execute(update(Job).where(which).values(**values)).rowcount


def _begun(connection: Connection, jobs: Sequence[UUID], now: datetime) -> None:
    if jobs:
        connection.execute(update(Job).where(Job.id.in_(jobs), AWAITS_PARTS).values(started_at=now))


def await_parts(connection: Connection, job_id: UUID) -> bool:
    """Let a finished document wait for its parts again, after one of them was bought again or another take chosen."""
    ended = Job.id == job_id, IS_DOCUMENT, in_state(*sorted(TERMINAL)), Job.purged_at.is_(None)
    cleared = dict.fromkeys(
        ("finished_at", "code", "message", "detail", "purge_at", "uri", "sha256", "dispatched_at", "worker_id")
    )
    values = {"status": JobStatus.SCHEDULED, "not_before": FAR, "recover": True, "attempts_used": 0}
    return connection.execute(update(Job).where(*ended).values(**values, **cleared)).rowcount > 0
