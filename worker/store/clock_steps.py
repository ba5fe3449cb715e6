"""Moves stored times back after the database's clock has stepped back.

A time that was computed as "now plus a wait" lies ahead by the step as well, and what it delays would stand still that
long. Times that a producer chose, such as a later start or a deadline, stay. Weakness: a step while no dispatcher runs
is seen only by the lease and the latest heartbeat, if nothing has been written since.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Interval, func, literal, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from api_models.status import JobStatus
from worker.store import locks
from worker.store.states import in_flight_as, in_state
from worker.store.tables.account import BalanceRow, GateRow
from worker.store.tables.jobs import Job
from worker.store.tables.schedules import ScheduleRun
from worker.store.tables.webhooks import Delivery
from worker.store.tables.workers import Lease, Worker
from worker.store.types import Instant

_SQLITE_TIME: Final = "%Y-%m-%d %H:%M:%f000"
_Time = InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]

# Waits of the dispatcher and the executor. An unattempted job that follows no other waits for its producer's time.
_BACKED_OFF: Final = in_state(JobStatus.SCHEDULED) & or_(Job.attempt > 0, Job.follows.is_not(None))
_OF_JOBS: Final[tuple[tuple[_Time, ColumnElement[bool]], ...]] = (
    (Job.not_before, _BACKED_OFF),
    (Job.dispatched_at, in_flight_as(JobStatus.DISPATCHED)),
    (Job.started_at, in_flight_as(JobStatus.RUNNING)),
)
_OTHERS: Final[tuple[_Time, ...]] = (
    Worker.heartbeat_at,
    GateRow.since,
    GateRow.next_probe_at,
    BalanceRow.seen_at,
    ScheduleRun.next_at,
    Delivery.next_at,
)


def latest_written(connection: Connection, lease: str, lease_seconds: float) -> datetime | None:
    """Return the latest time that a worker's heartbeat, those that have stopped included, or a lease was written at."""
    beat_at = connection.execute(select(func.max(Worker.heartbeat_at, type_=Instant()))).scalar()
    expires_at = connection.execute(select(Lease.expires_at).where(Lease.name == lease)).scalar()
    written_at = expires_at and expires_at - timedelta(seconds=lease_seconds)
    return max((moment for moment in (beat_at, written_at) if moment is not None), default=None)


def move_back(connection: Connection, seconds: float, *, now: datetime) -> None:
    """Move times that are ahead of `now` back by the step. Locked jobs keep theirs."""
    for statement in _statements(connection.dialect.name, timedelta(seconds=seconds), now):
        connection.execute(statement)


def _statements(dialect: str, step: timedelta, now: datetime) -> Iterator[Any]:
    for column, which in _OF_JOBS:
        ahead = locks.not_waiting(dialect, which & (column > now))
        yield update(Job).where(ahead).values({column: _earlier(dialect, column, step)})
    for column in _OTHERS:
        yield update(column.class_).where(column > now).values({column: _earlier(dialect, column, step)})


def _earlier(dialect: str, column: _Time, step: timedelta) -> ColumnElement[Any]:
    if dialect == "postgresql":
        return column - literal(step, Interval())
    return func.strftime(_SQLITE_TIME, column, f"-{step.total_seconds():.3f} seconds", type_=Instant())
