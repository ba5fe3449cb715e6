"""The id of this installation: one per database, for good."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from sqlalchemy import Connection, select

from worker.store.database import Database
from worker.store.tables.workers import Installation
from worker.store.upserts import insert

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
        row = {"name": ROW, "id": uuid4().hex, "created_at": database.now(connection)}
        connection.execute(insert(connection.dialect.name, Installation).values(row).on_conflict_do_nothing())
        return connection.execute(_ID).scalar_one()
