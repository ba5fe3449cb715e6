"""Schedules and their runs. A run's row makes its due time happen once: it is written once, and ended once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, String, and_, bindparam, delete, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.store.tables.schedules import Schedule, ScheduleRun


class RunState(StrEnum):
    """How a due time stands."""

    DUE = "due"
    """Somebody is to take it up."""
    RUNNING = "running"
    """A worker reads the source; if it is not heard of until `next_at`, another one is to."""
    DONE = "done"
    """Its batch is handed in, or there was nothing to hand in."""
    FAILED = "failed"
    """Nothing was handed in; `message` says why."""
    MISSED = "missed"
    """Nobody was there, and it was too late to make up for it."""


@dataclass(frozen=True, slots=True)
class ScheduleRecord:
    """One schedule."""

    tenant: str
    name: str
    cron: str
    timezone: str
    source: str
    options: str
    """How its lines become jobs, as a JSON object."""
    catch_up_seconds: int
    created_at: datetime
    next_due_at: datetime | None
    paused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunKey:
    """Which run."""

    tenant: str
    schedule: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One due time, and what became of it."""

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
        """Which one it is."""
        return RunKey(self.tenant, self.schedule, self.due_at)


_COLUMNS = tuple(getattr(Schedule, name) for name in ScheduleRecord.__slots__)
_RUN_COLUMNS = tuple(getattr(ScheduleRun, name) for name in RunRecord.__slots__)
# Literals, and the partial index's own words: see `states`.
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
    """Write a new schedule. False where the tenant has one of that name."""
    values = {name: getattr(schedule, name) for name in ScheduleRecord.__slots__}
    return _added(connection, Schedule, values)


def remove(connection: Connection, tenant: str, name: str) -> bool:
    """Take a schedule away, and what of it is due and not handed in. What has run stays on record."""
    its = (ScheduleRun.tenant == tenant, ScheduleRun.schedule == name)
    # In this order: whoever writes a run down has the schedule's row until it is there to be seen.
    removed = connection.execute(delete(Schedule).where(_named(tenant, name))).rowcount > 0
    connection.execute(delete(ScheduleRun).where(*its, _OPEN))
    return removed


def by_name(connection: Connection, tenant: str, name: str) -> ScheduleRecord | None:
    """The schedule with this name."""
    row = connection.execute(select(*_COLUMNS).where(_named(tenant, name))).one_or_none()
    return None if row is None else ScheduleRecord(*row)


def every(connection: Connection, tenant: str | None = None) -> list[ScheduleRecord]:
    """All schedules, or those of one tenant, by name."""
    query = select(*_COLUMNS).order_by(Schedule.tenant, Schedule.name)
    rows = connection.execute(query if tenant is None else query.where(Schedule.tenant == tenant))
    return [ScheduleRecord(*row) for row in rows]


def pause(connection: Connection, tenant: str, name: str, *, now: datetime) -> bool:
    """Let none of its times become due. False where it is paused, or there is none such."""
    paused = update(Schedule).where(_named(tenant, name), Schedule.paused_at.is_(None)).values(paused_at=now)
    return connection.execute(paused).rowcount > 0


def resume(connection: Connection, tenant: str, name: str, *, next_due_at: datetime | None) -> bool:
    """Let it go on from its next time. False where it isn't paused, or there is none such."""
    resumed = (
        update(Schedule)
        .where(_named(tenant, name), Schedule.paused_at.is_not(None))
        .values(paused_at=None, next_due_at=next_due_at)
    )
    return connection.execute(resumed).rowcount > 0


def due(connection: Connection, *, now: datetime, most: int) -> list[ScheduleRecord]:
    """Schedules whose time has come, the one that waits longest first."""
    return [ScheduleRecord(*row) for row in connection.execute(_DUE, {"now": now, "most": most})]


def advance(connection: Connection, schedule: ScheduleRecord, *, next_due_at: datetime | None) -> bool:
    """Set its next time. False where somebody else has just done so, or it was paused or removed."""
    if schedule.next_due_at is None:
        return False
    its = and_(
        _named(schedule.tenant, schedule.name),
        Schedule.next_due_at == schedule.next_due_at,
        Schedule.paused_at.is_(None),
    )
    return connection.execute(update(Schedule).where(its).values(next_due_at=next_due_at)).rowcount > 0


def add_run(connection: Connection, key: RunKey, state: RunState, *, message: str | None = None, now: datetime) -> bool:
    """Write a due time down, to be taken up at once, or as missed. False where it is on record already."""
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
    """Runs that somebody is to be sent for: new ones, and those of workers that were not heard of since."""
    return [_run(row) for row in connection.execute(_OPEN_RUNS, {"now": now, "most": most})]


def send(connection: Connection, run: RunRecord, *, again_at: datetime) -> bool:
    """It is for whoever takes it up now, and is sent again at `again_at`. False where it has changed meanwhile."""
    same = and_(_is(run.key), ScheduleRun.state == run.state, ScheduleRun.next_at == run.next_at)
    return connection.execute(update(ScheduleRun).where(same).values(state=RunState.DUE, next_at=again_at)).rowcount > 0


def claim(connection: Connection, key: RunKey, *, lapses_at: Callable[[int], datetime]) -> RunRecord | None:
    """Take a run up; `lapses_at` says until when, by the attempt's number. None where another has it, or it is over."""
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
    """End a run, in the transaction that hands its batch in. False where it is over, or was taken away: roll back.

    Whoever comes first ends it, also one whose claim has lapsed and been taken over.
    """
    ended = (
        update(ScheduleRun)
        .where(_is(key), _OPEN)
        .values(state=state, batch_id=batch_id, message=message, finished_at=now, next_at=None)
    )
    return connection.execute(ended).rowcount > 0


def put_off(connection: Connection, run: RunRecord, *, until: datetime, message: str) -> bool:
    """Leave a run that met a passing trouble to be taken up again. False where somebody else has it now."""
    mine = and_(_is(run.key), ScheduleRun.state == RunState.RUNNING, ScheduleRun.attempts == run.attempts)
    later = update(ScheduleRun).where(mine).values(state=RunState.DUE, next_at=until, message=message)
    return connection.execute(later).rowcount > 0


def runs(connection: Connection, tenant: str, name: str, *, most: int) -> list[RunRecord]:
    """What became of a schedule's times, the latest first."""
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
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(values).on_conflict_do_nothing()
    # An INSERT's count is thrown away otherwise.
    return connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount > 0
