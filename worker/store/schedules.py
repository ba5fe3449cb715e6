"""Schedules and their runs. A run's row makes its due time happen once: it is inserted once, and finished once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    bindparam,
    delete,
    exists,
    literal_column,
    or_,
    select,
    update,
)

from worker.store import notifications, upserts
from worker.store.tables.schedules import Schedule, ScheduleRun


class RunState(StrEnum):
    DUE = "due"
    RUNNING = "running"
    """A worker is reading the source; another one picks it up at `next_at`."""
    DONE = "done"
    """Its batch is submitted, or there was nothing to submit."""
    FAILED = "failed"
    MISSED = "missed"
    """No worker was running, and it was too late to make up for it."""


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    tenant: str
    name: str
    cron: str
    timezone: str
    source: str
    options: str
    catch_up_seconds: int
    created_at: datetime
    next_due_at: datetime | None
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunKey:
    tenant: str
    schedule: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class RunRecord:
    tenant: str
    schedule: str
    due_at: datetime
    state: RunState
    attempts: int
    next_at: datetime | None
    batch_id: UUID | None
    message: str | None
    finished_at: datetime | None

    @property
    def key(self) -> RunKey:
        return RunKey(self.tenant, self.schedule, self.due_at)


_COLUMNS = tuple(getattr(Schedule, name) for name in ScheduleRecord.__slots__)
_RUN_COLUMNS = tuple(getattr(ScheduleRun, name) for name in RunRecord.__slots__)
# Literals, as in the partial index: see `states`.
_OPEN: Final[ColumnElement[bool]] = ScheduleRun.state.in_(
    [literal_column(f"'{state.value}'", String) for state in (RunState.DUE, RunState.RUNNING)]
)
_DUE = (
    select(*_COLUMNS)
    .where(Schedule.next_due_at <= bindparam("now"), Schedule.paused_at.is_(None))
    .order_by(Schedule.next_due_at)
    .limit(bindparam("most"))
)
_OPEN_RUNS = (
    select(*_RUN_COLUMNS)
    .where(_OPEN, ScheduleRun.next_at <= bindparam("now"))
    .order_by(ScheduleRun.next_at)
    .limit(bindparam("most"))
)


def add(connection: Connection, schedule: ScheduleRecord) -> bool:
    values = {name: getattr(schedule, name) for name in ScheduleRecord.__slots__}
    return _added(connection, Schedule, values)


def remove(connection: Connection, tenant: str, name: str) -> bool:
    its = (ScheduleRun.tenant == tenant, ScheduleRun.schedule == name)
    # In this order: inserting a run locks the schedule's row until the run is visible.
    removed = connection.execute(delete(Schedule).where(_named(tenant, name))).rowcount > 0
    connection.execute(delete(ScheduleRun).where(*its, _OPEN))
    return removed


def by_name(connection: Connection, tenant: str, name: str) -> ScheduleRecord | None:
    row = connection.execute(select(*_COLUMNS).where(_named(tenant, name))).one_or_none()
    return None if row is None else ScheduleRecord(*row)


def every(connection: Connection, tenant: str | None = None) -> list[ScheduleRecord]:
    query = select(*_COLUMNS).order_by(Schedule.tenant, Schedule.name)
    rows = connection.execute(query if tenant is None else query.where(Schedule.tenant == tenant))
    return [ScheduleRecord(*row) for row in rows]


def pause(connection: Connection, tenant: str, name: str, *, now: datetime) -> bool:
    """Make none of its times due. Returns False if unknown or already paused."""
    paused = update(Schedule).where(_named(tenant, name), Schedule.paused_at.is_(None)).values(paused_at=now)
    return connection.execute(paused).rowcount > 0


def resume(connection: Connection, tenant: str, name: str, *, next_due_at: datetime | None) -> bool:
    """Continue from its next time. Returns False if unknown or not paused."""
    resumed = (
        update(Schedule)
        .where(_named(tenant, name), Schedule.paused_at.is_not(None))
        .values(paused_at=None, next_due_at=next_due_at)
    )
    return connection.execute(resumed).rowcount > 0


def pending(soon: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(
        exists().where(Schedule.next_due_at <= soon, Schedule.paused_at.is_(None)),
        exists().where(_OPEN, ScheduleRun.next_at <= soon),
    )


def due(connection: Connection, *, now: datetime, most: int) -> list[ScheduleRecord]:
    return [ScheduleRecord(*row) for row in connection.execute(_DUE, {"now": now, "most": most})]


def advance(connection: Connection, schedule: ScheduleRecord, *, next_due_at: datetime | None) -> bool:
    """Set its next time. Returns False if another process was first, or it was paused or removed."""
    if schedule.next_due_at is None:
        return False
    its = and_(
        _named(schedule.tenant, schedule.name),
        Schedule.next_due_at == schedule.next_due_at,
        Schedule.paused_at.is_(None),
    )
    return connection.execute(update(Schedule).where(its).values(next_due_at=next_due_at)).rowcount > 0


def add_run(connection: Connection, key: RunKey, state: RunState, *, message: str | None = None, now: datetime) -> bool:
    """Insert a due time, to be picked up at once, or as missed. Returns False if it exists."""
    values = {
        "tenant": key.tenant,
        "schedule": key.schedule,
        "due_at": key.due_at,
        "state": state,
        "attempts": 0,
        "next_at": now if state is RunState.DUE else None,
        "message": message,
        "finished_at": None if state is RunState.DUE else now,
    }
    return _added(connection, ScheduleRun, values)


def open_runs(connection: Connection, *, now: datetime, most: int) -> list[RunRecord]:
    """Return runs that need a worker: new ones, and those whose worker's claim has lapsed."""
    return [_run(row) for row in connection.execute(_OPEN_RUNS, {"now": now, "most": most})]


def send(connection: Connection, run: RunRecord, *, again_at: datetime) -> bool:
    """Mark a run as sent, to be sent again at `again_at`. Returns False if it has changed meanwhile."""
    same = and_(_is(run.key), ScheduleRun.state == run.state, ScheduleRun.next_at == run.next_at)
    return connection.execute(update(ScheduleRun).where(same).values(state=RunState.DUE, next_at=again_at)).rowcount > 0


def claim(connection: Connection, key: RunKey, *, lapses_at: Callable[[int], datetime]) -> RunRecord | None:
    """Claim a run until `lapses_at(attempt)`. Returns None if another worker has it, or it has finished."""
    row = connection.execute(select(*_RUN_COLUMNS).where(_is(key))).one_or_none()
    if row is None:
        return None
    run = _run(row)
    taken = replace(run, state=RunState.RUNNING, attempts=run.attempts + 1, next_at=lapses_at(run.attempts + 1))
    claimed = (
        update(ScheduleRun)
        .where(_is(key), ScheduleRun.state == RunState.DUE, ScheduleRun.attempts == run.attempts)
        .values(state=taken.state, attempts=taken.attempts, next_at=taken.next_at)
    )
    return taken if connection.execute(claimed).rowcount else None


def conclude(
    connection: Connection,
    key: RunKey,
    state: RunState,
    *,
    batch_id: UUID | None = None,
    message: str | None = None,
    now: datetime,
) -> bool:
    """Finish a run, in the transaction that submits its batch. On False (finished or removed) roll back.

    The first to finish it wins, even if its claim has lapsed and was taken over.
    """
    ended = (
        update(ScheduleRun)
        .where(_is(key), _OPEN)
        .values(state=state, batch_id=batch_id, message=message, finished_at=now, next_at=None)
    )
    return connection.execute(ended).rowcount > 0


def put_off(connection: Connection, run: RunRecord, *, until: datetime, message: str) -> bool:
    """Retry a run later after a temporary error. Returns False if another worker has it now."""
    own = and_(_is(run.key), ScheduleRun.state == RunState.RUNNING, ScheduleRun.attempts == run.attempts)
    later = update(ScheduleRun).where(own).values(state=RunState.DUE, next_at=until, message=message)
    return connection.execute(later).rowcount > 0


def runs(connection: Connection, tenant: str, name: str, *, most: int) -> list[RunRecord]:
    its = (ScheduleRun.tenant == tenant, ScheduleRun.schedule == name)
    query = select(*_RUN_COLUMNS).where(*its).order_by(ScheduleRun.due_at.desc()).limit(most)
    return [_run(row) for row in connection.execute(query)]


def _run(row: Any) -> RunRecord:  # noqa: ANN401 - a row
    tenant, schedule, due_at, state, *rest = row
    return RunRecord(tenant, schedule, due_at, RunState(state), *rest)


def _named(tenant: str, name: str) -> ColumnElement[bool]:
    return and_(Schedule.tenant == tenant, Schedule.name == name)


def _is(key: RunKey) -> ColumnElement[bool]:
    return and_(
        ScheduleRun.tenant == key.tenant, ScheduleRun.schedule == key.schedule, ScheduleRun.due_at == key.due_at
    )


def _added(connection: Connection, table: type[Schedule | ScheduleRun], values: dict[str, object]) -> bool:
    notifications.announce(connection)
    statement = upserts.insert(connection.dialect.name, table).values(values).on_conflict_do_nothing()
    # SQLAlchemy discards an INSERT's row count otherwise.
    return connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount > 0
