"""Indexes of large tables that PostgreSQL builds after the migration that declares them, without blocking writers.

`CREATE INDEX CONCURRENTLY` cannot run in a transaction, and so in no migration. Until the index exists, its statements
are slower but correct. SQLite has one writer: there the migration creates it.
"""

from __future__ import annotations

import time
from typing import Final, cast

from sqlalchemy import Connection, Index, Table, text
from sqlalchemy.schema import CreateIndex, DropIndex

from worker.store.database import Database
from worker.store.tables.jobs import Attempt, Job

LOCK: Final = 0x7474_7169
"""PostgreSQL's advisory lock under which they are built ("ttqi" in ASCII)."""
BUILDING_SECONDS: Final = 15 * 60
POLL_SECONDS: Final = 0.1

_TABLES: Final = (cast("Table", Job.__table__), cast("Table", Attempt.__table__))
LATE: Final = {"ix_jobs_key_open": "0008", "ix_attempts_unclear": "0008"}
"""Index name to the revision that introduces it."""


def build(database: Database, revision: str | None) -> None:
    """Build the indexes that the revision requires and the database lacks.

    Raises:
        DBAPIError: the database refuses. A repeated call resumes.
        TimeoutError: another process has been building them for longer than `BUILDING_SECONDS`.
    """
    known = (index for table in _TABLES for index in table.indexes)
    wanted = [index for index in known if revision and LATE.get(str(index.name), "~") <= revision]
    if database.is_sqlite or not wanted:
        return
    with database.at_once() as connection:
        if all(_is_valid(connection, index) for index in wanted):
            return
        connection.execute(text(f"SET statement_timeout = '{BUILDING_SECONDS}s'"))
        connection.execute(text("SET lock_timeout = 0"))
        _take_turn(connection)
        try:
            for index in wanted:
                _build(connection, index)
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


def _build(connection: Connection, index: Index) -> None:
    if _is_valid(connection, index):
        return
    # An interrupted build leaves an invalid index.
    connection.execute(DropIndex(index, if_exists=True))
    index_made = CreateIndex(index).compile(connection).string.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)
    connection.execute(text(index_made))


def _is_valid(connection: Connection, index: Index) -> bool:
    found = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(connection.execute(found, {"name": index.name}).scalar())
