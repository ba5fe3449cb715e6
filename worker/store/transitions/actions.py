"""Changes that users request: submit, cancel, retry, prioritise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, case, literal, select, update

from api_models.status import TERMINAL, JobStatus
from worker.store import documents, locks, notifications, totals
from worker.store.queries.rivals import SUPERSEDED
from worker.store.states import IS_DOCUMENT, in_state
from worker.store.tables.jobs import Job
from worker.store.transitions import billing, completion, event_writer, followers, losses
from worker.store.transitions.billing import Call
from worker.store.writing import bulk, columns
from worker.store.writing.columns import ColumnBlock

JOBS: Final = cast("Table", Job.__table__)


def submit(connection: Connection, rows: Iterable[dict[str, Any]]) -> int:
    """Insert jobs and notify the dispatcher. Returns how many."""
    written = bulk.insert_many(connection, JOBS, rows)
    if written:
        notifications.announce(connection)
    return written


def submit_alike(connection: Connection, pieces: Iterable[ColumnBlock]) -> int:
    """Like `submit`, for jobs that share most of their values."""
    written = columns.insert(connection, JOBS, pieces)
    if written:
        notifications.announce(connection)
    return written


def cancel(
    connection: Connection,
    which: ColumnElement[bool],
    *,
    now: datetime,
    code: str = "cancelled",
    message: str = "It was cancelled by request.",
) -> int:
    """Cancel the selected jobs that have not finished. A call under way is still paid, and its cost recorded.

    It counts as possibly billed until its worker reports it, and so does a submitted request (v2) that no attempt will
    poll. The parts of documents are cancelled with them.
    """
    unfinished: ColumnElement[bool] = which & ~in_state(*sorted(TERMINAL))
    with_parts = documents.has_documents(connection, unfinished)
    if with_parts:
        unfinished |= documents.of_documents(unfinished) & ~in_state(*sorted(TERMINAL))
    unfinished = locks.hold(connection, unfinished)
    if with_parts:
        documents.add_up(connection, unfinished)
    losses.cancelled(connection, unfinished, now=now)
    submitted = connection.execute(select(Job.id, Job.request_id).where(unfinished, Job.request_id.is_not(None))).all()
    cancelling = (
        update(Job)
        .where(unfinished)
        .values(status=JobStatus.CANCELLED, finished_at=now, worker_id=None, code=code, message=message)
    )
    if with_parts or event_writer.has_listener(connection, unfinished):
        rows = connection.execute(cancelling.returning(Job.id, Job.parent)).all()
        ended = [job_id for job_id, parent in rows if parent is None]
        count = len(ended)
    else:
        ended, count = [], connection.execute(cancelling).rowcount
    followers.release_from_cancelled(connection)
    billing.flag(connection, [Call(*row) for row in submitted])
    event_writer.ended(connection, ended, now=now)
    totals.jobs_ended(connection, JobStatus.CANCELLED, count)
    return count


def retry(connection: Connection, which: ColumnElement[bool], *, states: Sequence[JobStatus]) -> int:
    """Retry finished jobs of the selection under the same ids, with fresh attempts. Their history remains.

    Their batches are unfinished again. A job whose text has been removed, or whose object name a later batch uses, is
    left unchanged. Of a document, the parts that have no audio are retried; the document waits for them.
    """
    allowed = TERMINAL - {JobStatus.SUCCEEDED}
    ended = in_state(*(status for status in states if status in allowed)) & Job.code.is_distinct_from(SUPERSEDED)
    chosen = which & ended & Job.purged_at.is_(None)
    if documents.has_documents(connection, chosen):
        missing = documents.of_documents(chosen) & in_state(*sorted(allowed)) & documents.CHOSEN
        held = locks.hold(connection, chosen | missing)
        missing, chosen = held & missing, held & chosen
        _queue_again(connection, missing)
        documents.buy_again(connection, documents.gone_takes(connection, chosen))
    batches = _queue_again(connection, chosen)
    completion.reopen(connection, {batch_id for batch_id in batches if batch_id is not None})
    if batches:
        notifications.announce(connection)
    return len(batches)


def _queue_again(connection: Connection, which: ColumnElement[bool]) -> Sequence[UUID | None]:
    """Queue jobs with fresh attempts; documents wait for their parts. Returns their batches."""
    again = (
        update(Job)
        .where(locks.in_order(connection.dialect.name, which))
        .values(
            status=case((IS_DOCUMENT, JobStatus.SCHEDULED), else_=JobStatus.QUEUED),
            attempts_used=0,
            takes_used=0,
            recover=True,
            not_before=case((IS_DOCUMENT, literal(documents.FAR, Job.not_before.type))),
            deadline=None,
            dispatched_at=None,
            started_at=None,
            finished_at=None,
            code=None,
            message=None,
            detail=None,
            purge_at=None,
        )
    )
    return connection.execute(again.returning(Job.batch_id)).scalars().all()


def prioritise(connection: Connection, which: ColumnElement[bool], priority: int) -> int:
    unfinished = which & ~in_state(*sorted(TERMINAL))
    if documents.has_documents(connection, unfinished):
        parts = documents.of_documents(unfinished) & ~in_state(*sorted(TERMINAL))
        held = locks.hold(connection, unfinished | parts)
        _move(connection, held & parts, priority)
        unfinished &= held
    return _move(connection, unfinished, priority)


def _move(connection: Connection, which: ColumnElement[bool], priority: int) -> int:
    moving = update(Job).where(locks.in_order(connection.dialect.name, which)).values(priority=priority)
    return connection.execute(moving).rowcount


def these(job_ids: Sequence[UUID]) -> ColumnElement[bool]:
    return Job.id.in_(job_ids)
