"""Job counts by state, maintained by PostgreSQL, so that reading them counts no rows.

Triggers on the jobs (revision 0006) see every change by any statement. Each statement inserts its changes as separate
rows, so that transactions do not wait for one counter, and the leading dispatcher folds them into one row for each kind
of job. The sum over all rows is always right, folded or not.

Weaknesses: without a leading dispatcher, changes accumulate unfolded and are summed on every read. SQLite's triggers
run row by row, so there jobs are counted, through an index where one fits.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    Select,
    cast,
    delete,
    func,
    literal,
    select,
    true,
)
from sqlalchemy import text as sql
from sqlalchemy.sql import operators, visitors

from worker.store import upserts
from worker.store.states import IS_WHOLE
from worker.store.tables.jobs import Job, Tally

FOLDED: Final = 0
"""The part that holds the folded total."""

_KEY: Final = (Tally.lane, Tally.tenant, Tally.model, Tally.priority, Tally.status, Tally.cached)
# Literally the predicate of the partial index, which is almost empty when everything is folded.
_LOOSE: Final = sql("(tallies.part > 0 OR tallies.jobs = 0)")

_TAKEN = delete(Tally).where(_LOOSE, Tally.part > FOLDED).returning(*Tally.__table__.columns).cte("taken")
_KIND: Final[list[ColumnElement[Any]]] = [_TAKEN.c[column.key] for column in _KEY]
_SUMS: Final[list[ColumnElement[Any]]] = [
    func.sum(_TAKEN.c.jobs, type_=BigInteger),
    func.sum(_TAKEN.c.cost, type_=Tally.cost.type),
    func.min(_TAKEN.c.began_at),
    func.max(_TAKEN.c.ended_at),
]
_COLUMNS: Final = [*(column.key for column in _KEY), "part", "jobs", "cost", "began_at", "ended_at"]


def _fold() -> Executable:
    sums = select(*_KIND, literal(FOLDED), *_SUMS).group_by(*_KIND)
    added = upserts.insert("postgresql", Tally).from_select(_COLUMNS, sums)
    new = added.excluded
    statement: Executable = added.on_conflict_do_update(
        index_elements=[*(column.key for column in _KEY), "part"],
        set_={
            "jobs": Tally.jobs + new.jobs,
            "cost": Tally.cost + new.cost,
            "began_at": func.least(Tally.began_at, new.began_at),
            "ended_at": func.greatest(Tally.ended_at, new.ended_at),
        },
    )
    return statement


_FOLD: Final = _fold()
_CLEAR: Final = delete(Tally).where(_LOOSE, Tally.part == FOLDED, Tally.jobs == 0)


def fold(connection: Connection) -> None:
    """Fold new changes into one row per kind, and delete empty kinds.

    Only for the leading dispatcher: two concurrent calls would wait for each other.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_FOLD)
        connection.execute(_CLEAR)


_COLUMN_OF: Final[dict[str, Any]] = {
    "tenant": Tally.tenant,
    "batch_id": Tally.lane,
    "lane": Tally.lane,
    "model": Tally.model,
    "priority": Tally.priority,
    "status": Tally.status,
    "cached": Tally.cached,
}


def about(connection: Connection, which: ColumnElement[bool]) -> ColumnElement[bool] | None:
    """Translate a selection of jobs into one of tallies; None if there are no tallies or they lack a column of it."""
    if connection.dialect.name != "postgresql" or not all(map(_is_translatable, visitors.iterate(which))):
        return None
    in_tallies: ColumnElement[bool] = visitors.replacement_traverse(which, {}, _in_tallies)
    return in_tallies


def _is_translatable(part: visitors.ExternallyTraversible) -> bool:
    """Whether a part of a condition means the same for tallies. They have no NULL, and no columns of other tables."""
    name = part.__visit_name__
    if name == "binary":
        return getattr(part, "operator", None) not in {operators.is_, operators.is_not}
    if name == "column":
        return _of_jobs(part)
    return name in _PLAIN


_PLAIN: Final = frozenset({"bindparam", "clauselist", "expression_clauselist", "grouping", "true", "false", "unary"})


def _of_jobs(part: Any) -> bool:  # noqa: ANN401 - a literal is a column without a table
    table = getattr(part, "table", None)
    return table is None or (table is Job.__table__ and part.key in _COLUMN_OF)


def _in_tallies(element: Any, **_: Any) -> Any:  # noqa: ANN401 - the signature is SQLAlchemy's
    if element is IS_WHOLE:  # tallies count no parts of documents
        return true()
    is_jobs = getattr(element, "table", None) is Job.__table__ and getattr(element, "key", None) in _COLUMN_OF
    return _COLUMN_OF[element.key].expression if is_jobs else None


def counts(connection: Connection, which: ColumnElement[bool]) -> list[tuple[str, bool, int, Decimal]]:
    """Return state, whether the jobs are copies, their number and their cost, by kind."""
    jobs = cast(func.sum(Tally.jobs), BigInteger)
    rows = connection.execute(
        select(Tally.status, Tally.cached, jobs, func.sum(Tally.cost, type_=Tally.cost.type))
        .where(which)
        .group_by(Tally.status, Tally.cached)
        .having(jobs != 0)
    )
    return [(status, cached, number, cost) for status, cached, number, cost in rows]


def lanes(which: ColumnElement[bool]) -> Select[int, UUID, int]:
    jobs = cast(func.sum(Tally.jobs), BigInteger)
    return select(Tally.priority, Tally.lane, jobs).where(which).group_by(Tally.priority, Tally.lane).having(jobs != 0)


def span(connection: Connection, which: ColumnElement[bool]) -> tuple[datetime | None, datetime | None]:
    """Return when the first of them was submitted, and when the last of the finished ones finished.

    It may include times of jobs that have moved on: an end that a retry undid, or the submission of a removed job.
    """
    kinds = (
        select(func.min(Tally.began_at).label("began"), func.max(Tally.ended_at).label("ended"))
        .where(which)
        .group_by(*_KEY)
        .having(func.sum(Tally.jobs) != 0)
        .subquery()
    )
    row = connection.execute(select(func.min(kinds.c.began), func.max(kinds.c.ended))).one()
    return row[0], row[1]
