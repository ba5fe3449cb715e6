"""Versions of the schema: upgrading and downgrading a database, and reading its revision."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from worker.store import late_indexes
from worker.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0029"
"""The newest revision. A test compares it with the migrations folder, so that a running process need not read that."""

ADVISORY_LOCK: Final = 0x7474_736D
"""PostgreSQL's advisory lock for migrations ("ttsm" in ASCII), so that only one runs at a time."""

TURN_MINUTES: Final = 30
"""How long to wait for another migration."""

TRIES: Final = 60
TRY_AGAIN_SECONDS: Final = 1.0
"""Between two tries to lock tables that are in use."""


def migrations_folder() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def revision(database: Database) -> str | None:
    try:
        with database.read() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError as error:
        missing = "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", None) == "42P01"
        if missing:
            return None
        raise


def upgrade(database: Database, to: str = "head") -> None:
    """Upgrade to a revision. Safe to repeat."""
    from alembic import command  # noqa: PLC0415 - 0.1 s that only a migrating process should spend

    _migrate(database, lambda config: command.upgrade(config, to))
    late_indexes.build(database, revision(database))


def downgrade(database: Database, to: str) -> None:
    from alembic import command  # noqa: PLC0415 - as above

    _migrate(database, lambda config: command.downgrade(config, to))


def _migrate(database: Database, migrate: Callable[[Config], None]) -> None:
    """Migrate in one transaction, retried while a table that it changes is in use.

    It waits only briefly for each table (`migrations/env.py`), because all later statements queue behind it.
    """
    for remaining in reversed(range(TRIES)):
        try:
            with database.begin() as connection:
                _take_turn(connection)
                migrate(_config(connection))
        except DBAPIError as error:
            if not remaining or not _is_in_use(error):
                raise
            time.sleep(TRY_AGAIN_SECONDS)
        else:
            return


def _take_turn(connection: Connection) -> None:
    """Wait for another process's migration. On SQLite, writers wait for each other anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_MINUTES}min'"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{TURN_MINUTES}min'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})


def _is_in_use(error: DBAPIError) -> bool:
    """Whether a lock timed out, or two transactions deadlocked."""
    return getattr(error.orig, "sqlstate", None) in {"55P03", "40P01"}


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["connection"] = connection
    return config
