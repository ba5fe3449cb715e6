"""Rows of the inbox: reading those that wait, and recording what became of them.

On SQLite any program writes the file, and a column holds whatever value it was given: producers' columns are read as
bytes, and never more of them than a valid row has.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, LargeBinary, bindparam, cast, delete, exists, func, select, update

from api_models.inbox import MAX_REQUEST_CHARACTERS
from worker.store.tables.inbox import InboxRow

MAX_BYTES: Final = 4 * MAX_REQUEST_CHARACTERS
"""Of one request in UTF-8."""
MAX_NAME_BYTES: Final = 256
FORGOTTEN_AT_A_TIME: Final = 1_000

Raw = bytes | str | UUID | None
"""A producer's value: typed on PostgreSQL, bytes on SQLite."""


@dataclass(frozen=True, slots=True)
class Arrival:
    number: int
    id: Raw
    request: Raw
    tenant: Raw


@dataclass(frozen=True, slots=True)
class Refused:
    number: int
    id: str | None
    request: str
    tenant: str | None
    role: str | None
    refused_at: datetime
    faults: Sequence[str]


@dataclass(frozen=True, slots=True)
class Backlog:
    waiting: int
    refused: int


_WAITING: Final = InboxRow.handled_at.is_(None)
_JOB: Final = (
    update(InboxRow)
    .where(InboxRow.number == bindparam("row"), _WAITING)
    .values(handled_at=bindparam("now"), job_id=bindparam("job"), request="")
)
_REFUSE: Final = (
    update(InboxRow)
    .where(InboxRow.number == bindparam("row"), _WAITING)
    .values(handled_at=bindparam("now"), faults=bindparam("why"))
)


def pending() -> ColumnElement[bool]:
    return exists().where(_WAITING)


def is_anything_waiting(connection: Connection, *, but: Collection[int] = ()) -> bool:
    return connection.execute(select(InboxRow.number).where(_waiting(but)).limit(1)).first() is not None


def waiting(connection: Connection, *, oldest: int, newest: int, but: Collection[int] = ()) -> list[Arrival]:
    """Return the oldest rows that wait, and the newest among others, without locking them. `but` are left out."""
    columns = _columns(connection)
    first = connection.execute(select(*columns).where(_waiting(but)).order_by(InboxRow.number).limit(oldest)).all()
    if len(first) < oldest:
        return [Arrival(*row) for row in first]
    beyond = _waiting(but) & (InboxRow.number > first[-1].number)
    last = connection.execute(select(*columns).where(beyond).order_by(InboxRow.number.desc()).limit(newest)).all()
    return [Arrival(*row) for row in (*first, *reversed(last))]


def claim(connection: Connection, numbers: Collection[int]) -> set[int]:
    """Lock those of the rows that still wait, until this transaction ends. Rows that another process holds are left."""
    query = select(InboxRow.number).where(InboxRow.number.in_(numbers), _WAITING).order_by(InboxRow.number)
    return set(connection.execute(query.with_for_update(skip_locked=True)).scalars())


def record_jobs(connection: Connection, jobs: Sequence[tuple[int, UUID]], *, now: datetime) -> None:
    """Note which job each row has become, and remove its text."""
    if jobs:
        connection.execute(_JOB, [{"row": number, "job": job_id, "now": now} for number, job_id in jobs])


def record_refusals(connection: Connection, refusals: Sequence[tuple[int, Sequence[str]]], *, now: datetime) -> None:
    if refusals:
        rows = [{"row": number, "why": json.dumps(list(faults)), "now": now} for number, faults in refusals]
        connection.execute(_REFUSE, rows)


def forget(connection: Connection, *, jobs_before: datetime, refusals_before: datetime) -> int:
    """Delete rows that were handled before these times, a limited number at once. Returns how many."""
    is_old = (InboxRow.handled_at < jobs_before) & InboxRow.faults.is_(None)
    is_old |= (InboxRow.handled_at < refusals_before) & InboxRow.faults.is_not(None)
    old = select(InboxRow.number).where(is_old).order_by(InboxRow.handled_at).limit(FORGOTTEN_AT_A_TIME)
    return connection.execute(delete(InboxRow).where(InboxRow.number.in_(old))).rowcount


def backlog(connection: Connection) -> Backlog:
    return Backlog(_count(connection, _WAITING), _count(connection, InboxRow.faults.is_not(None)))


def refused(connection: Connection, *, most: int) -> list[Refused]:
    """Return the refused rows, the newest first."""
    columns = (*_columns(connection), InboxRow.role, InboxRow.handled_at, InboxRow.faults)
    query = select(*columns).where(InboxRow.faults.is_not(None), InboxRow.handled_at.is_not(None))
    rows: Any = connection.execute(query.order_by(InboxRow.number.desc()).limit(most))
    return [
        Refused(
            row.number,
            _text(row.id),
            _text(row.request) or "",
            _text(row.tenant),
            row.role,
            row.handled_at,
            json.loads(row.faults),
        )
        for row in rows
    ]


def _waiting(but: Collection[int]) -> ColumnElement[bool]:
    return _WAITING & InboxRow.number.not_in(but) if but else _WAITING


def _columns(connection: Connection) -> tuple[Any, ...]:
    if connection.dialect.name != "sqlite":
        return InboxRow.number, InboxRow.id, InboxRow.request, InboxRow.tenant
    return (
        InboxRow.number,
        _bytes(InboxRow.id, MAX_NAME_BYTES).label("id"),
        _bytes(InboxRow.request, MAX_BYTES).label("request"),
        _bytes(InboxRow.tenant, MAX_NAME_BYTES).label("tenant"),
    )


def _bytes(column: Any, most: int) -> Any:  # noqa: ANN401 - a column of any type
    """The value as bytes, one more than `most` if it is longer."""
    return func.substr(cast(column, LargeBinary), 1, most + 1, type_=LargeBinary)


def _count(connection: Connection, which: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(InboxRow).where(which)).scalar_one()


def _text(value: Raw) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)
