"""Whether the leader has anything to do, asked for by one statement, so that an idle installation runs few queries.

What is due within `HORIZON` counts as due: it is known before its time, and then polled for more often.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Interval, Select, bindparam, exists, func, literal, or_, select

from api_models.status import JobStatus
from worker.store import documents, inbox, operations, schedules
from worker.store.outbox import deliveries
from worker.store.states import in_state
from worker.store.tables.account import GateRow
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import completion, purges

HORIZON: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Pending:
    """Which leader tasks may have something to do, now or within the horizon."""

    inbox: bool = False
    outbox: bool = False
    batches: bool = False
    schedules: bool = False
    documents: bool = False
    removals: bool = False
    operations: bool = False


def for_tasks(connection: Connection) -> Pending:
    row = connection.execute(_tasks(connection.dialect.name), {"soon": datetime.now(UTC) + HORIZON}).one()
    return Pending(*map(bool, row))


def is_at_rest(connection: Connection, *, now: datetime) -> bool:
    """Whether the dispatcher has nothing to do: no job may start, run or be overdue, all results are read, and every
    gate is open.
    """
    return not connection.execute(_DISPATCH, {"soon": now + HORIZON}).scalar()


@cache
def _tasks(dialect: str) -> Select[*tuple[Any, ...]]:
    # By the database's clock. `clock_timestamp()` would keep PostgreSQL from using the indexes.
    soon = func.statement_timestamp() + literal(HORIZON, Interval()) if dialect == "postgresql" else bindparam("soon")
    return select(
        inbox.pending(),
        deliveries.pending(soon),
        completion.pending(),
        schedules.pending(soon),
        documents.pending(),
        purges.pending(soon),
        operations.pending(),
    )


def _dispatch() -> ColumnElement[bool]:
    soon: ColumnElement[Any] = bindparam("soon")
    waits = in_state(JobStatus.SCHEDULED, JobStatus.QUEUED)
    return or_(
        exists().where(in_state(JobStatus.QUEUED)),
        exists().where(in_state(JobStatus.DISPATCHED, JobStatus.RUNNING)),
        exists().where(in_state(JobStatus.SCHEDULED), Job.not_before <= soon),
        exists().where(Job.deadline.is_not(None), waits, Job.deadline <= soon),
        exists().where(~Attempt.noted),
        exists().where(GateRow.closed),
    )


_DISPATCH: Final = select(_dispatch())
