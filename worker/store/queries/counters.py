"""How many jobs stand where, kept by PostgreSQL itself as they move, so that nobody who asks has to count rows.

Triggers on the jobs (revision 0006) see every change, whichever statement makes it. Each statement adds what it has
changed as rows of its own, so that no two transactions wait for one counter, and the leading dispatcher folds those
into one row for each kind of jobs. A sum over all rows is right at any moment, folded or not.

Its weaknesses: changes that are made while no dispatcher leads anywhere wait to be folded, and are read until then. And
SQLite, whose triggers go row by row, has none of this: there the jobs are counted, through an index where one serves.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Connection, Executable, Select, cast, delete, func, literal, select
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql import operators, visitors

from worker.store.tables.jobs import Job, Tally

FOLDED: Final = 0
"""The part that holds what has been folded."""

_KEY: Final = (Tally.lane, Tally.tenant, Tally.model, Tally.priority, Tally.status, Tally.cached)
# Word for word the predicate of the partial index, which holds next to nothing when everything is folded.
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
    added = insert(Tally).from_select(_COLUMNS, select(*_KIND, literal(FOLDED), *_SUMS).group_by(*_KIND))
    new = added.excluded
    return added.on_conflict_do_update(
        index_elements=[*(column.key for column in _KEY), "part"],
        set_={
            "jobs": Tally.jobs + new.jobs,
            "cost": Tally.cost + new.cost,
            "began_at": func.least(Tally.began_at, new.began_at),
            "ended_at": func.greatest(Tally.ended_at, new.ended_at),
        },
    )


_FOLD: Final = _fold()
_CLEAR: Final = delete(Tally).where(_LOOSE, Tally.part == FOLDED, Tally.jobs == 0)


def fold(connection: Connection) -> None:
    """Bring what has changed since the last time into one row a kind, and drop the kinds that are empty.

    For the leading dispatcher alone: two at a time would wait for each other.
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
    """A selection of jobs as one of tallies; None where there are none, or it asks for what they don't tell apart."""
    if connection.dialect.name != "postgresql" or not all(map(_is_told, visitors.iterate(which))):
        return None
    told: ColumnElement[bool] = visitors.replacement_traverse(which, {}, _in_tallies)
    return told


def _is_told(part: visitors.ExternallyTraversible) -> bool:
    """Whether a part of a condition means the same of tallies. They have no NULL, and nothing of other tables."""
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
    is_jobs = getattr(element, "table", None) is Job.__table__ and getattr(element, "key", None) in _COLUMN_OF
    return _COLUMN_OF[element.key].expression if is_jobs else None


def counts(connection: Connection, which: ColumnElement[bool]) -> list[tuple[str, bool, int, Decimal]]:
    """State, whether they are copies, number and cost of the jobs that a selection of tallies takes."""
    jobs = cast(func.sum(Tally.jobs), BigInteger)
    rows = connection.execute(
        select(Tally.status, Tally.cached, jobs, func.sum(Tally.cost, type_=Tally.cost.type))
        .where(which)
        .group_by(Tally.status, Tally.cached)
        .having(jobs != 0)
    )
    return [(status, cached, number, cost) for status, cached, number, cost in rows]


def lanes(which: ColumnElement[bool]) -> Select[int, UUID, int]:
    """Priority, lane and number of the jobs that a selection of tallies takes, a row for each priority of a lane."""
    jobs = cast(func.sum(Tally.jobs), BigInteger)
    return select(Tally.priority, Tally.lane, jobs).where(which).group_by(Tally.priority, Tally.lane).having(jobs != 0)


def span(connection: Connection, which: ColumnElement[bool]) -> tuple[datetime | None, datetime | None]:
    """When the first of them was handed in, and when the last of those that are over ended.

    Of jobs that have moved on it may still know a time: an end that was taken back, or the beginning of what is gone.
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
