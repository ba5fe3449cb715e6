"""The cost of calls, summed from the ledger without rounding. Read-only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Executable, String, and_, case, func, literal_column, not_, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from api_models.spending import By
from api_models.status import JobStatus
from api_models.verdict import SUSPECT, VerdictKind
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, Batch, Job

ZERO: Final = Decimal(0)
NO_CALL: Final = (VerdictKind.CACHED, VerdictKind.RELEASED)
"""Attempts that ended without a call to the API."""

_SUSPECTED: Final = and_(Attempt.verdict == VerdictKind.BAD_TAKE, Attempt.code == SUSPECT)


@dataclass(frozen=True, slots=True)
class Spent:
    key: str | None
    """The day, month, batch id, model or tenant; None for jobs without a batch."""
    name: str | None
    calls: int
    """Attempts that called the API, whatever the response."""
    paid: Decimal
    estimated: Decimal
    """The part of `paid` at list price, because the API reported no cost."""
    possibly_billed: int
    """Calls without a clear response: they may have been billed beyond `paid`."""
    copies: int
    saved: Decimal
    suspected: Decimal = ZERO
    """The part of `paid` for takes that were refused because they may not say their text."""


@dataclass(frozen=True, slots=True)
class Filter:
    since: datetime | None = None
    until: datetime | None = None
    tenant: str | None = None

    def terms(self) -> list[ColumnElement[bool]]:
        found = [Attempt.tenant == self.tenant] if self.tenant is not None else []
        found += [Attempt.finished_at >= self.since] if self.since is not None else []
        return found + ([Attempt.finished_at < self.until] if self.until is not None else [])


def spent(connection: Connection, by: By, which: Filter) -> list[Spent]:
    """Sum the ledger by time or name; jobs without a batch last."""
    key = _key(connection, by)
    saved: dict[Any, Decimal] = {row.key: row.saved for row in connection.execute(_savings(key, which))}
    rows = connection.execute(_sums(key, by, which))
    lines = [_line(row, saved.get(row.key) or ZERO) for row in rows]
    return sorted(lines, key=lambda line: (line.key is None, line.key or ""))


def total(lines: Iterable[Spent]) -> Spent:
    lines = list(lines)
    return Spent(
        key=None,
        name=None,
        calls=sum(line.calls for line in lines),
        paid=sum((line.paid for line in lines), ZERO),
        estimated=sum((line.estimated for line in lines), ZERO),
        possibly_billed=sum(line.possibly_billed for line in lines),
        copies=sum(line.copies for line in lines),
        saved=sum((line.saved for line in lines), ZERO),
        suspected=sum((line.suspected for line in lines), ZERO),
    )


def _key(connection: Connection, by: By) -> ColumnElement[Any]:
    match by:
        case By.DAY:
            return _date(connection, "YYYY-MM-DD")
        case By.MONTH:
            return _date(connection, "YYYY-MM")
        case By.BATCH:
            return Attempt.__table__.c.batch_id
        case By.MODEL:
            return Attempt.__table__.c.model
        case By.TENANT:
            return Attempt.__table__.c.tenant


def _date(connection: Connection, form: str) -> ColumnElement[str]:
    """The date in UTC. A literal: with a parameter, PostgreSQL does not recognise the expression of GROUP BY."""
    if connection.dialect.name == "postgresql":
        return literal_column(f"to_char(attempts.finished_at AT TIME ZONE 'UTC', '{form}')", String)
    return literal_column(f"substr(attempts.finished_at, 1, {len(form)})", String)  # stored as text, in UTC


def _sums(key: ColumnElement[Any], by: By, which: Filter) -> Executable:
    is_call = not_(and_(Attempt.verdict.in_(NO_CALL), Attempt.cost == ZERO, not_(Attempt.possibly_billed)))
    found = select(
        key.label("key"),
        (func.max(Batch.name) if by is By.BATCH else literal_column("NULL", String)).label("name"),
        _count(is_call).label("calls"),
        func.sum(Attempt.cost, type_=Attempt.cost.type).label("paid"),
        func.sum(case((Attempt.cost_estimated, Attempt.cost)), type_=Attempt.cost.type).label("estimated"),
        func.sum(case((_SUSPECTED, Attempt.cost)), type_=Attempt.cost.type).label("suspected"),
        _count(Attempt.possibly_billed).label("possibly_billed"),
        _count(Attempt.verdict == VerdictKind.CACHED).label("copies"),
    ).where(*which.terms())
    if by is By.BATCH:
        found = found.outerjoin(Batch, Batch.id == Attempt.batch_id)
    return found.group_by(key)


def _savings(key: ColumnElement[Any], which: Filter) -> Executable:
    copy = aliased(Job)
    copied = select(copy.fingerprint).join(Attempt, Attempt.job_id == copy.id)
    cached = (Attempt.verdict == VerdictKind.CACHED, *which.terms())
    paid = aliased(Attempt)
    source = (
        select(Job.fingerprint, Job.sha256, func.min(paid.cost, type_=Attempt.cost.type).label("cost"))
        .join(paid, and_(paid.job_id == Job.id, paid.verdict == VerdictKind.SUCCESS))
        .where(in_state(JobStatus.SUCCEEDED), not_(Job.cached), Job.fingerprint.in_(copied.where(*cached)))
        .group_by(Job.fingerprint, Job.sha256)
        .subquery()
    )
    return (
        select(key.label("key"), func.sum(source.c.cost, type_=Attempt.cost.type).label("saved"))
        .select_from(Attempt)
        .join(copy, copy.id == Attempt.job_id)
        .join(source, and_(source.c.fingerprint == copy.fingerprint, source.c.sha256 == copy.sha256))
        .where(*cached)
        .group_by(key)
    )


def _count(condition: ColumnElement[bool] | InstrumentedAttribute[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _line(row: Any, saved: Decimal) -> Spent:  # noqa: ANN401 - the row of a statement that names no type
    return Spent(
        key=None if row.key is None else str(row.key),
        name=row.name,
        calls=int(row.calls),
        paid=row.paid or ZERO,
        estimated=row.estimated or ZERO,
        possibly_billed=int(row.possibly_billed),
        copies=int(row.copies),
        saved=saved,
        suspected=row.suspected or ZERO,
    )
