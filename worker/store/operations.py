"""Operations: one action on every job that a filter matches. Counted and priced, confirmed, then carried out.

Its filter is frozen: relative times count from the moment it was created, and jobs submitted later are not touched.
Each page is one transaction with the operation's position, so a crash repeats or loses nothing. It never changes more
jobs than were counted, so that it never costs more than was shown.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, exists, insert, select, update
from uuid_utils.compat import uuid7

from api_models import job_filter
from api_models.registry import MODELS
from api_models.status import TERMINAL, JobStatus
from worker.store import notifications
from worker.store.queries import job_search
from worker.store.states import in_state
from worker.store.tables.console import Operation
from worker.store.tables.jobs import Job
from worker.store.transitions import actions, purges

PAGE_JOBS: Final = 500
COUNTED_PER_PAGE: Final = 5_000


class Action(StrEnum):
    """What an operation does to each job."""

    RETRY = "retry"
    """Queue jobs that finished without audio again."""
    CANCEL = "cancel"
    """Cancel unfinished jobs."""
    PRIORITY = "priority"
    """Change the priority of unfinished jobs."""
    DELETE = "delete"
    """Delete text and audio of finished jobs."""


class State(StrEnum):
    """Of an operation."""

    COUNTING = "counting"
    """Matching jobs are being counted and priced."""
    READY = "ready"
    """Counted; nothing happens until it is confirmed."""
    RUNNING = "running"
    """Confirmed: the leading worker changes jobs, page by page."""
    ABORTED = "aborted"
    """Stopped by request; it can be resumed where it stopped."""
    FINISHED = "finished"
    """Every counted job was visited."""
    DISCARDED = "discarded"
    """Never confirmed."""


APPLIES_TO: Final[dict[Action, frozenset[JobStatus]]] = {
    Action.RETRY: TERMINAL - {JobStatus.SUCCEEDED},
    Action.CANCEL: frozenset(JobStatus) - TERMINAL,
    Action.PRIORITY: frozenset(JobStatus) - TERMINAL,
    Action.DELETE: TERMINAL,
}


@dataclass(frozen=True, slots=True)
class OperationRecord:
    id: UUID
    tenant: str
    actor: str
    action: Action
    priority: int | None
    filter: str
    frozen_at: datetime
    state: State
    matched: int
    price: Decimal
    changed: int
    examined: int
    position: UUID | None
    message: str | None
    created_at: datetime
    confirmed_at: datetime | None
    finished_at: datetime | None

    @property
    def share(self) -> float:
        return min(1.0, self.examined / self.matched) if self.matched else 1.0


_COLUMNS: Final = tuple(getattr(Operation, name) for name in OperationRecord.__slots__)


def create(
    connection: Connection,
    *,
    tenant: str,
    actor: str,
    action: Action,
    filter_text: str,
    priority: int | None,
    now: datetime,
) -> OperationRecord:
    """Freeze a filter and begin to count. Raises InvalidInputError: the filter is faulty, or names another tenant."""
    job_filter.parse(filter_text, now=now).of_tenant(tenant)
    record = OperationRecord(
        id=uuid7(),
        tenant=tenant,
        actor=actor,
        action=action,
        priority=priority,
        filter=filter_text,
        frozen_at=now,
        state=State.COUNTING,
        matched=0,
        price=Decimal(0),
        changed=0,
        examined=0,
        position=None,
        message=None,
        created_at=now,
        confirmed_at=None,
        finished_at=None,
    )
    connection.execute(insert(Operation).values({name: getattr(record, name) for name in OperationRecord.__slots__}))
    notifications.announce(connection)
    return record


def by_id(connection: Connection, tenant: str, operation_id: UUID) -> OperationRecord | None:
    which = (Operation.id == operation_id, Operation.tenant == tenant)
    row = connection.execute(select(*_COLUMNS).where(*which)).one_or_none()
    return None if row is None else _record(tuple(row))


def listed(connection: Connection, tenant: str, *, before: UUID | None = None, most: int) -> list[OperationRecord]:
    query = select(*_COLUMNS).where(Operation.tenant == tenant)
    if before is not None:
        query = query.where(Operation.id < before)
    return [_record(tuple(row)) for row in connection.execute(query.order_by(Operation.id.desc()).limit(most))]


def pending() -> ColumnElement[bool]:
    return exists().where(in_operation_state(State.COUNTING, State.RUNNING))


def next_open(connection: Connection) -> OperationRecord | None:
    """Return the oldest operation that is being counted or carried out."""
    states = in_operation_state(State.COUNTING, State.RUNNING)
    row = connection.execute(select(*_COLUMNS).where(states).order_by(Operation.id).limit(1)).one_or_none()
    return None if row is None else _record(tuple(row))


def in_operation_state(*states: State) -> ColumnElement[bool]:
    return Operation.state.in_([str(state) for state in states])


def confirm(connection: Connection, record: OperationRecord, *, now: datetime) -> bool:
    """Begin to carry it out. Returns False if it was confirmed, discarded or is still being counted."""
    notifications.announce(connection)
    return _move(connection, record, State.READY, State.RUNNING, confirmed_at=now, position=None)


def discard(connection: Connection, record: OperationRecord, *, now: datetime) -> bool:
    return any(
        _move(connection, record, state, State.DISCARDED, finished_at=now) for state in (State.READY, State.COUNTING)
    )


def abort(connection: Connection, record: OperationRecord, *, now: datetime) -> bool:
    """Stop after the page that is under way."""
    return _move(connection, record, State.RUNNING, State.ABORTED, finished_at=now)


def resume(connection: Connection, record: OperationRecord) -> bool:
    """Continue an aborted operation where it stopped."""
    notifications.announce(connection)
    return _move(connection, record, State.ABORTED, State.RUNNING, finished_at=None)


def advance(connection: Connection, record: OperationRecord, *, now: datetime) -> bool:
    """Count or carry out the next page in the caller's transaction. Returns whether there is more to do.

    The operation's row is locked first: an abort waits for the page, and a second leader finds the position moved.
    """
    current = _locked(connection, record.id)
    if current is None or current.state not in {State.COUNTING, State.RUNNING}:
        return False
    return _count(connection, current) if current.state is State.COUNTING else _carry_out(connection, current, now)


def _count(connection: Connection, record: OperationRecord) -> bool:
    rows, resume_at = _page(connection, record, COUNTED_PER_PAGE)
    price = Decimal(0)
    if record.action is Action.RETRY:
        models = Counter[str](row.model for row in rows)
        price = sum((MODELS.price_of(name) * number for name, number in models.items()), price)
    _update(
        connection,
        record,
        matched=record.matched + len(rows),
        price=record.price + price,
        position=resume_at,
        state=State.READY if resume_at is None else State.COUNTING,
    )
    return resume_at is not None


def _carry_out(connection: Connection, record: OperationRecord, now: datetime) -> bool:
    left = record.matched - record.examined
    rows, resume_at = _page(connection, record, min(PAGE_JOBS, max(left, 1)))
    rows = rows[:left] if left > 0 else []
    changed = _apply(connection, record, [row.id for row in rows], now) if rows else 0
    examined = record.examined + len(rows)
    finished = resume_at is None or examined >= record.matched
    _update(
        connection,
        record,
        changed=record.changed + changed,
        examined=examined,
        position=resume_at or record.position,
        **({"state": State.FINISHED, "finished_at": now} if finished else {}),
    )
    return not finished


def _page(connection: Connection, record: OperationRecord, most: int) -> tuple[Any, UUID | None]:
    wanted = job_filter.parse(record.filter, now=record.frozen_at).of_tenant(record.tenant)
    search = job_search.search(connection, wanted)
    applies = in_state(*sorted(APPLIES_TO[record.action]))
    return job_search.ids_after(
        connection, search, after=record.position, before=job_search.id_after(record.frozen_at), most=most, also=applies
    )


def _apply(connection: Connection, record: OperationRecord, job_ids: list[UUID], now: datetime) -> int:
    which = actions.these(job_ids) & (Job.tenant == record.tenant)
    match record.action:
        case Action.RETRY:
            return actions.retry(connection, which, states=tuple(APPLIES_TO[Action.RETRY]))
        case Action.CANCEL:
            return actions.cancel(connection, which, now=now)
        case Action.PRIORITY:
            return actions.prioritise(connection, which, record.priority or 0)
        case Action.DELETE:
            return purges.ask(connection, which, now=now)[0]


def _locked(connection: Connection, operation_id: UUID) -> OperationRecord | None:
    query = select(*_COLUMNS).where(Operation.id == operation_id).with_for_update()
    row = connection.execute(query).one_or_none()
    return None if row is None else _record(tuple(row))


def _move(connection: Connection, record: OperationRecord, old: State, new: State, **values: object) -> bool:
    moving = update(Operation).where(
        Operation.id == record.id, Operation.tenant == record.tenant, Operation.state == str(old)
    )
    return connection.execute(moving.values(state=str(new), **values)).rowcount > 0


def _update(connection: Connection, record: OperationRecord, **values: object) -> None:
    connection.execute(update(Operation).where(Operation.id == record.id).values(values))


def _record(row: tuple[Any, ...]) -> OperationRecord:
    values = dict(zip(OperationRecord.__slots__, row, strict=True))
    return OperationRecord(**{**values, "action": Action(values["action"]), "state": State(values["state"])})
