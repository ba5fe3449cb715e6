"""Indexes of large tables that PostgreSQL builds after the migration that declares them, without blocking writers.

`CREATE INDEX CONCURRENTLY` cannot run in a transaction, and so in no migration. Until the index exists, its statements
are slower but correct. SQLite has one writer: there the migration creates it. Weakness: behind a pooler two
processes may build one index at once, and one of them fails; a repeated call resumes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final, cast

from sqlalchemy import Connection, Index, Table, text
from sqlalchemy.schema import CreateIndex, DropIndex

from worker.store.database import Database
from worker.store.tables.jobs import Attempt, Job
from worker.store.tables.webhooks import EventRow

LOCK: Final = 0x7474_7169
"""PostgreSQL's advisory lock under which they are built ("ttqi" in ASCII)."""
BUILDING_SECONDS: Final = 15 * 60
POLL_SECONDS: Final = 0.1

_TABLES: Final = tuple(cast("Table", model.__table__) for model in (Job, Attempt, EventRow))
_SCHEMA: Final = text(
    "SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE pg_class.oid = to_regclass('jobs')"
)
LATE: Final = {
    "ix_jobs_key_open": "0008",
    "ix_attempts_unclear": "0008",
    "ix_jobs_code": "0015",
    "ix_events_tenant": "0015",
    "ix_events_account": "0015",
    "ix_jobs_parts": "0022",
    "ix_jobs_documents": "0022",
    "ix_jobs_pages": "0024",
    "ix_jobs_ended_pages": "0024",
}
"""Index name to the revision that introduces it."""


def build(database: Database, revision: str | None) -> None:
    """Build the indexes that the revision requires and the database lacks.

    Raises:
        DBAPIError: the database refuses. A repeated call resumes.
        TimeoutError: another process has been building them for longer than `BUILDING_SECONDS`.
    """
    known = {str(index.name): index for table in _TABLES for index in table.indexes}
    wanted = [known[name] for name, introduced in LATE.items() if revision and introduced <= revision]
    if database.is_sqlite or not wanted:
        return
    with database.read() as connection:
        schema = connection.execute(_SCHEMA).scalar_one()
    # A pooler's session may be another one for the next statement: it keeps no setting and no lock.
    with database.session() as connection:
        if all(_is_valid(connection, index, schema) for index in wanted):
            return
        with nullcontext() if database.is_pooled else _turn(connection):
            for index in wanted:
                _build(connection, index, schema)


@contextmanager
def _turn(connection: Connection) -> Iterator[None]:
    connection.execute(text(f"SET statement_timeout = '{BUILDING_SECONDS}s'"))
    connection.execute(text("SET lock_timeout = 0"))
    _take_turn(connection)
    try:
        yield
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
        connection.invalidate()  # it also resets the settings above


def _take_turn(connection: Connection) -> None:
    """Polled, because a waiting statement holds a snapshot, and the build it waits for waits for all snapshots."""
    until = time.monotonic() + BUILDING_SECONDS
    while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK}).scalar():
        if time.monotonic() > until:
            raise TimeoutError("another process has been building indexes for too long")
        time.sleep(POLL_SECONDS)


def _build(connection: Connection, index: Index, schema: str) -> None:
    if _is_valid(connection, index, schema):
        return
    # An interrupted build leaves an invalid index.
    there = connection.execution_options(schema_translate_map={None: schema})
    there.execute(DropIndex(index, if_exists=True))
    statement = CreateIndex(index).compile(
        connection, schema_translate_map={None: schema}, render_schema_translate=True
    )
    connection.execute(text(statement.string.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)))


def _is_valid(connection: Connection, index: Index, schema: str) -> bool:
    found = text(
        "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
        " JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = :schema AND relname = :name"
    )
    return bool(connection.execute(found, {"schema": schema, "name": index.name}).scalar())
