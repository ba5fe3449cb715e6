"""The id of this installation: one per database, for good."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.store.database import Database
from worker.store.tables.workers import Installation

ROW: Final = "queue"
_ID: Final = select(Installation.id).where(Installation.name == ROW)


def known(connection: Connection) -> str | None:
    return connection.execute(_ID).scalar()


def identify(database: Database) -> str:
    """Return the id: 32 hex digits. Migrations write it; a database whose rows were removed gets a new one."""
    with database.read() as connection:
        found = known(connection)
    if found is not None:
        return found
    with database.begin() as connection:
        dialect = sqlite if database.is_sqlite else postgresql
        row = {"name": ROW, "id": uuid4().hex, "created_at": database.now(connection)}
        connection.execute(dialect.insert(Installation).values(row).on_conflict_do_nothing())
        return connection.execute(_ID).scalar_one()
