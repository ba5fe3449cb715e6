"""Ledger rows for attempts that cannot write their own, because their job was taken away.

Their call may be paid for, so it counts against budgets at list price. A late worker's report corrects the row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, insert, literal, literal_column, or_, select
from sqlalchemy.sql.selectable import FromClause

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.store.money.ceilings import text_bytes
from worker.store.states import IS_DOCUMENT
from worker.store.tables.jobs import Attempt, Job
from worker.store.types import Money

DIED_MESSAGE: Final = "The worker died during this attempt."
CANCELLED_MESSAGE: Final = "The job was cancelled during this attempt."

_KEPT: Final = (
    Job.id,
    Job.attempt,
    Job.tenant,
    Job.batch_id,
    Job.worker_id,
    Job.model,
    Job.started_at,
    Job.request_id,
)


def died(connection: Connection, which: ColumnElement[bool], max_attempts: int, *, now: datetime) -> None:
    """Write a row for each selected running job whose worker is dead. The jobs are locked already.

    The next attempt can poll a handle; only without a next attempt does its cost remain unknown. Joining a document
    costs nothing.
    """
    doubt = ~IS_DOCUMENT & or_(Job.request_id.is_(None), Job.attempts_used >= max_attempts)
    jobs = select(*_KEPT, doubt.label("doubt"), _size(connection)).where(which).subquery()
    _record(connection, jobs, code="worker_lost", message=DIED_MESSAGE, now=now)


def cancelled(connection: Connection, which: ColumnElement[bool], *, now: datetime) -> None:
    """Write a row for each selected running job. The selection is locked in the order of the jobs' ids.

    Requests with a handle (v2) are left to `billing.flag`, which knows whether they are paid for.
    """
    doubt = ~IS_DOCUMENT & Job.request_id.is_(None)
    found = select(*_KEPT, Job.status, doubt.label("doubt"), _size(connection)).where(which)
    if connection.dialect.name == "postgresql":
        found = found.order_by(Job.id).with_for_update()
    locked = found.cte("locked")
    running = locked.c.status == literal_column(f"'{JobStatus.RUNNING.value}'")
    jobs = select(*(column for column in locked.c if column.key != "status")).where(running).subquery()
    _record(connection, jobs, code="cancelled", message=CANCELLED_MESSAGE, now=now)


def _size(connection: Connection) -> ColumnElement[int]:
    return text_bytes(connection.dialect.name).label("size")


def _record(connection: Connection, jobs: FromClause, *, code: str, message: str, now: datetime) -> None:
    columns: dict[str, Any] = {
        "job_id": jobs.c.id,
        "number": jobs.c.attempt,
        "tenant": jobs.c.tenant,
        "batch_id": jobs.c.batch_id,
        "worker_id": jobs.c.worker_id,
        "model": jobs.c.model,
        "started_at": jobs.c.started_at,
        "finished_at": literal(now, Job.started_at.type),
        "verdict": literal(str(VerdictKind.LOST)),
        "code": literal(code),
        "message": literal(message),
        "request_id": jobs.c.request_id,
        "cost": literal(0, Money.impl),
        "cost_estimated": literal(False),  # noqa: FBT003 - a column's value
        "possibly_billed": jobs.c.doubt,
        "noted": literal(False),  # noqa: FBT003 - a column's value
        "text_bytes": jobs.c.size,
    }
    connection.execute(insert(Attempt).from_select(list(columns), select(*columns.values())))
