"""The end of a batch: found when its last job has ended, concluded once, taken back when a job is tried again.

Whoever concludes holds the turn of those who write events, so from then on it waits for nothing.
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
    """What came of concluding a batch."""

    WON = "won"
    """It is finished now, and this is what finished it."""
    LATE = "late"
    """It was finished before, is gone, or its jobs stand otherwise than in the files."""
    BUSY = "busy"
    """Somebody is changing its row just now."""


def unfinished(connection: Connection, *, after: UUID, most: int) -> tuple[list[UUID], UUID | None]:
    """Of the next so many batches that aren't finished, those that could be; and after which one to look on, if any."""
    rows = connection.execute(_UNFINISHED, {"after": after, "most": most}).all()
    ready = [batch_id for batch_id, is_open in rows if not is_open]
    return ready, rows[-1].id if len(rows) == most else None


def conclude(
    connection: Connection, batch_id: UUID, as_written: Standing, *, results_uri: str, now: datetime
) -> Conclusion:
    """Finish a batch whose files are written, if its jobs still stand as they did, and tell whoever wants to hear."""
    heard = connection.execute(select(_heard()).where(Batch.id == batch_id)).scalar_one_or_none()
    if heard:
        events.take_turn(connection)
    free = select(Batch.id).where(Batch.id == batch_id).with_for_update(skip_locked=True, key_share=True)
    if heard is not None and connection.execute(free).first() is None:
        return Conclusion.BUSY
    # Asked only now: whoever tries a job again changes this row after the job's, and so waits until this is over.
    if results.standing(connection, batch_id) != as_written:
        return Conclusion.LATE
    finished = update(Batch).where(Batch.id == batch_id, Batch.finished_at.is_(None))
    if not connection.execute(finished.values(finished_at=now, results_uri=results_uri)).rowcount:
        return Conclusion.LATE
    if heard:
        event_writer.finished(connection, batch_id, now=now)
    return Conclusion.WON


def reopen(connection: Connection, batch_ids: Collection[UUID]) -> None:
    """Jobs of these batches are tried again, in this transaction and before this.

    A batch that isn't finished is changed as well, for somebody may be about to finish it.
    """
    if batch_ids:
        # In the order of their ids, as the dispatcher locks them when it adds up what they have spent.
        connection.execute(_REOPEN, [{"batch": batch_id} for batch_id in sorted(batch_ids)])


def _heard() -> ColumnElement[bool]:
    listening = exists().where(Endpoint.tenant == Batch.tenant, Endpoint.disabled_at.is_(None)).correlate(Batch)
    return or_(Batch.notify.is_(True), listening)
