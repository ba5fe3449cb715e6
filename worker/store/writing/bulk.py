"""Bulk inserts, with the fastest method of each database: COPY on PostgreSQL, multi-row INSERT on SQLite.

Rows are sent in blocks, in the caller's transaction, and never collected in a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Table, insert
from sqlalchemy.exc import DBAPIError

ROWS_PER_BLOCK: Final = 1_000
"""Rows sent at a time."""
ROWS_PER_STATEMENT: Final = 100
"""On SQLite; more rows per statement are no faster."""
FEW_ROWS: Final = 20
"""Up to this number an ordinary INSERT is as fast, and its errors are more precise."""

Row = Mapping[str, Any]

_ESCAPES: Final = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
"""Characters with a meaning in COPY's text format."""


def insert_many(connection: Connection, table: Table, rows: Iterable[Row]) -> int:
    """Insert rows, all with the columns of the first, in its order. Returns how many. Raises SQLAlchemyError: a row
    breaks a constraint. The caller must roll back.
    """
    source = iter(rows)
    first = list(islice(source, FEW_ROWS + 1))
    if not first:
        return 0
    if len(first) <= FEW_ROWS:
        connection.execute(insert(table), first)
        return len(first)
    send = _BULK.get(connection.dialect.driver) if not connection.dialect.is_async else None
    if send is None:
        return _inserted(connection, table, chain(first, source))
    with translated(connection):
        return send(connection, table, list(first[0]), chain(first, source))


def _inserted(connection: Connection, table: Table, rows: Iterator[Row]) -> int:
    """For drivers other than those below."""
    count, statement = 0, insert(table)
    while piece := list(islice(rows, ROWS_PER_BLOCK)):
        connection.execute(statement, piece)
        count += len(piece)
    return count


def _copied(connection: Connection, table: Table, columns: Sequence[str], rows: Iterator[Row]) -> int:
    as_line, count = _Liner(connection, table, columns), 0
    cursor: Any = connection.connection.cursor()  # psycopg's cursor, which has copy()
    with cursor, cursor.copy(f"COPY {table.name} ({', '.join(columns)}) FROM STDIN") as copy:
        while piece := list(islice(rows, ROWS_PER_BLOCK)):
            copy.write("".join(map(as_line, piece)))
            count += len(piece)
    return count


def _prepared(connection: Connection, table: Table, columns: Sequence[str], rows: Iterator[Row]) -> int:
    return in_hundreds(connection, table, columns, map(_Valuer(connection, table, columns), rows))


def in_hundreds(connection: Connection, table: Table, columns: Sequence[str], rows: Iterator[Sequence[object]]) -> int:
    """Multi-row statements: SQLite's overhead per statement equals the insertion of two rows."""
    row = f"({', '.join('?' * len(columns))})"
    into = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608 - names of our own
    cursor, count = connection.connection.cursor(), 0
    try:
        while some := list(islice(rows, ROWS_PER_STATEMENT)):
            cursor.execute(into + ", ".join([row] * len(some)), list(chain.from_iterable(some)))
            count += len(some)
    finally:
        cursor.close()
    return count


_BULK: Final = {"psycopg": _copied, "pysqlite": _prepared}


class _Valuer:
    """Converts rows to the driver's values. A value identical to the previous row's is not converted again."""

    def __init__(self, connection: Connection, table: Table, columns: Sequence[str]) -> None:
        self._in_order = itemgetter(*columns)
        self._binders = [(place, to) for place, to in enumerate(binders(connection, table, columns)) if to is not None]
        self._values: list[Any] = [object()] * len(columns)
        self._bound: list[Any] = [None] * len(columns)

    def __call__(self, row: Row) -> list[Any]:
        made, values, bound = list(self._in_order(row)), self._values, self._bound
        for place, to in self._binders:
            value = made[place]
            if value is not values[place]:
                values[place] = value
                bound[place] = to(value)
            made[place] = bound[place]
        return made


class _Liner:
    """Formats rows as lines of COPY's text format. A value identical to the previous row's is not formatted again."""

    def __init__(self, connection: Connection, table: Table, columns: Sequence[str]) -> None:
        self._binders = binders(connection, table, columns)
        self._values: list[Any] = [object()] * len(columns)
        self._texts = [""] * len(columns)

    def __call__(self, row: Row) -> str:
        values, texts = self._values, self._texts
        for place, value in enumerate(row.values()):
            if value is not values[place]:
                values[place] = value
                to = self._binders[place]
                texts[place] = as_text(to(value) if to else value)
        return "\t".join(texts) + "\n"


def as_text(value: object) -> str:
    match value:
        case None:
            return r"\N"
        case str():
            return value.translate(_ESCAPES)
        case bool():
            return "t" if value else "f"
        case datetime():
            return value.isoformat()
        case int() | float() | UUID():
            return str(value)
        case _:
            raise TypeError(f"cannot send a {type(value).__name__} in bulk")


def binders(connection: Connection, table: Table, columns: Sequence[str]) -> list[Callable[[Any], Any] | None]:
    """Return each column's conversion of a value for this database."""
    dialect = connection.dialect
    return [table.c[column].type.dialect_impl(dialect).bind_processor(dialect) for column in columns]


@contextmanager
def translated(connection: Connection) -> Iterator[None]:
    """Re-raise the driver's errors as SQLAlchemy's, without the rows: those contain texts."""
    driver = connection.dialect.loaded_dbapi
    try:
        yield
    except driver.Error as error:
        raise DBAPIError.instance(
            None, None, error, driver.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
