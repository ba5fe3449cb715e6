"""The end of a batch: detected when its last job has finished, concluded once, reopened when a job is retried.

Concluding takes the event lock, so it must not wait for any row after that.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, bindparam, exists, or_, select, update

from api_models.status import TERMINAL, JobStatus
from worker.store.outbox import events
from worker.store.queries import results
from worker.store.queries.results import Standing
from worker.store.states import in_state
from worker.store.tables.jobs import Batch, Job
from worker.store.tables.webhooks import Endpoint
from worker.store.transitions import event_writer

_OPEN: Final = (
    exists()
    .where(Job.batch_id == Batch.id, in_state(*(status for status in JobStatus if status not in TERMINAL)))
    .correlate(Batch)
)
_UNFINISHED = (
    select(Batch.id, _OPEN)
    .where(Batch.finished_at.is_(None), Batch.id > bindparam("after"))
    .order_by(Batch.id)
    .limit(bindparam("most"))
)
_REOPEN = update(Batch).where(Batch.id == bindparam("batch")).values(finished_at=None, results_uri=None)


class Conclusion(StrEnum):
    WON = "won"
    """This call finished it."""
    LATE = "late"
    """It was finished before, no longer exists, or its jobs have changed since the files were written."""
    BUSY = "busy"
    """Another transaction has its row locked."""


def pending() -> ColumnElement[bool]:
    return exists().where(Batch.finished_at.is_(None))


def unfinished(connection: Connection, *, after: UUID, most: int) -> tuple[list[UUID], UUID | None]:
    """Of the next `most` unfinished batches, return those that may be complete, and the id to continue after (or
    None).
    """
    rows = connection.execute(_UNFINISHED, {"after": after, "most": most}).all()
    ready = [batch_id for batch_id, is_open in rows if not is_open]
    return ready, rows[-1].id if len(rows) == most else None


def conclude(
    connection: Connection, batch_id: UUID, as_written: Standing, *, results_uri: str, now: datetime
) -> Conclusion:
    """Finish a batch whose files are written, if its jobs are unchanged since, and write its event."""
    subscribed = connection.execute(select(_has_subscriber()).where(Batch.id == batch_id)).scalar_one_or_none()
    if subscribed:
        events.take_turn(connection)
    free = select(Batch.id).where(Batch.id == batch_id).with_for_update(skip_locked=True, key_share=True)
    if subscribed is not None and connection.execute(free).first() is None:
        return Conclusion.BUSY
    # Checked under the row's lock: a retry changes this row after the job's, so it waits for this transaction.
    if results.standing(connection, batch_id) != as_written:
        return Conclusion.LATE
    finished = update(Batch).where(Batch.id == batch_id, Batch.finished_at.is_(None))
    if not connection.execute(finished.values(finished_at=now, results_uri=results_uri)).rowcount:
        return Conclusion.LATE
    if subscribed:
        event_writer.finished(connection, batch_id, now=now)
    return Conclusion.WON


def reopen(connection: Connection, batch_ids: Collection[UUID]) -> None:
    """Mark batches as unfinished, before their jobs are retried in the same transaction.

    Unfinished batches are updated as well, because another process may be about to finish them.
    """
    if batch_ids:
        # Ordered by id, as the dispatcher locks them when it adds up their spending.
        connection.execute(_REOPEN, [{"batch": batch_id} for batch_id in sorted(batch_ids)])


def _has_subscriber() -> ColumnElement[bool]:
    listening = exists().where(Endpoint.tenant == Batch.tenant, Endpoint.disabled_at.is_(None)).correlate(Batch)
    return or_(Batch.notify.is_(True), listening)
