"""What a statement makes a database do: the plans of the statements that a piece of code sends, as it sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from worker.store.database import Database

Sent = tuple[str, Any]
"""A statement, and one set of parameters."""


@contextmanager
def watched(connection: Connection) -> Iterator[list[Sent]]:
    """Every statement that is sent meanwhile, as the driver gets it; one that is sent for many rows, for the first."""
    sent: list[Sent] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, _context: object, many: bool) -> None:  # noqa: ANN401 - the driver's
        sent.append((statement, parameters[0] if many else parameters))

    event.listen(connection, "before_cursor_execute", note)
    yield sent
    event.remove(connection, "before_cursor_execute", note)


def statements(database: Database, run: Callable[[Connection], object]) -> list[Sent]:
    """What `run` sends, in a transaction that leaves nothing behind."""
    with database.begin() as connection:
        with watched(connection) as sent:
            run(connection)
        connection.rollback()
    return sent


def plans(database: Database, run: Callable[[Connection], object]) -> str:
    """What the database would do for each statement that `run` sends, asked before it does it."""
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    sent = statements(database, run)
    with database.read() as connection:
        rows = [connection.exec_driver_sql(explain + statement, given) for statement, given in sent]
        return "\n".join(str(row[-1]) for found in rows for row in found)
