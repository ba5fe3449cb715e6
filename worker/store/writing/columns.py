"""Rows that have most of their values in common, many at once: what they share is brought into form once.

The rest is laid side by side without a look at each value, so it has to be just what the database keeps. It goes the
way that other rows in bulk go, in the caller's own transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import add
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Connection, Table

from worker.store.writing import bulk
from worker.store.writing.bulk import Row

_SPECIAL: Final = "\\\t\n\r"
"""What COPY's text format would take for something else."""

Ending = TypeVar("Ending")


@dataclass(frozen=True, slots=True)
class ColumnBlock:
    """Rows that have most of their values in common, as columns."""

    own: Mapping[str, Sequence[object]]
    """By column, a value for each row: a text or a number, just as the database keeps it."""
    common: Sequence[Row]
    """For each row the other columns, the same in all: one object for all rows that are alike."""


def has_own_way(connection: Connection) -> bool:
    """Whether `insert` can be used with the driver of this connection."""
    return not connection.dialect.is_async and connection.dialect.driver in _WAYS


def insert(connection: Connection, table: Table, pieces: Iterable[ColumnBlock]) -> int:
    """Insert the rows of all pieces, which have the same columns. Returns how many.

    What rows have in common is brought into the database's form once; the rest is laid side by side without a look at
    every value.

    Raises:
        SQLAlchemyError: as for `insert_many`.
    """
    source = iter(pieces)
    first = next(source, None)
    if first is None:
        return 0
    columns = [*first.own, *first.common[0]]
    with bulk.translated(connection):
        return _WAYS[connection.dialect.driver](connection, table, columns, chain([first], source))


def _copied(connection: Connection, table: Table, columns: Sequence[str], pieces: Iterator[ColumnBlock]) -> int:
    to_bind = dict(zip(columns, bulk.binders(connection, table, columns), strict=True))

    def ending(row: Row) -> str:
        values = (to(value) if (to := to_bind[name]) else value for name, value in row.items())
        return "\t".join(map(bulk.as_text, values)) + "\n"

    count = 0
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY {table.name} ({', '.join(columns)}) FROM STDIN") as copy:
        for piece in pieces:
            written = (*map(_as_texts, piece.own.values()), _endings(piece.common, ending))
            copy.write("".join(map("\t".join, zip(*written, strict=True))))
            count += len(piece.common)
    return count


def _prepared(connection: Connection, table: Table, columns: Sequence[str], pieces: Iterator[ColumnBlock]) -> int:
    to_bind = dict(zip(columns, bulk.binders(connection, table, columns), strict=True))

    def ending(row: Row) -> tuple[object, ...]:
        return tuple(to(value) if (to := to_bind[name]) else value for name, value in row.items())

    def rows(piece: ColumnBlock) -> Iterator[tuple[object, ...]]:
        return map(add, zip(*piece.own.values(), strict=True), _endings(piece.common, ending))

    return bulk.in_hundreds(connection, table, columns, chain.from_iterable(map(rows, pieces)))


_WAYS: Final = {"psycopg": _copied, "pysqlite": _prepared}


def _endings(rows: Sequence[Row], make: Callable[[Row], Ending]) -> list[Ending]:
    """What rows have in common as the database wants it, made once for all that are alike."""
    keys = list(map(id, rows))
    made = {key: make(row) for key, row in dict(zip(keys, rows, strict=True)).items()}
    return [made[key] for key in keys]


def _as_texts(values: Sequence[object]) -> Sequence[str]:
    """A column in COPY's text format."""
    try:
        written = "".join(cast("Sequence[str]", values))
    except TypeError:
        return list(map(bulk.as_text, values))
    if any(special in written for special in _SPECIAL):
        return list(map(bulk.as_text, values))
    return cast("Sequence[str]", values)
