"""Columnar bulk inserts of rows that share most values: shared values are converted once.

The other values are sent without a check, so they must be in the database's own format. Rows are written in the
caller's transaction, as in `bulk`.
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
"""Characters with a meaning in COPY's text format."""

Ending = TypeVar("Ending")


@dataclass(frozen=True, slots=True)
class ColumnBlock:
    own: Mapping[str, Sequence[object]]
    """By column, one value per row: strings or numbers in the database's own format."""
    common: Sequence[Row]
    """The other columns of each row: one shared object for all rows that are alike."""


def has_own_way(connection: Connection) -> bool:
    """Whether `insert` supports the driver of this connection."""
    return not connection.dialect.is_async and connection.dialect.driver in _WAYS


def insert(connection: Connection, table: Table, pieces: Iterable[ColumnBlock]) -> int:
    """Insert the rows of all blocks, which have the same columns. Returns how many. Raises SQLAlchemyError: as for
    `insert_many`.
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
    keys = list(map(id, rows))
    made = {key: make(row) for key, row in dict(zip(keys, rows, strict=True)).items()}
    return [made[key] for key in keys]


def _as_texts(values: Sequence[object]) -> Sequence[str]:
    try:
        written = "".join(cast("Sequence[str]", values))
    except TypeError:
        return list(map(bulk.as_text, values))
    if any(special in written for special in _SPECIAL):
        return list(map(bulk.as_text, values))
    return cast("Sequence[str]", values)
