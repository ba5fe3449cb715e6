"""The schema's versions: bringing a database to the newest, and asking whether it is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from worker.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0002"
"""The newest revision. A test holds it against the migrations folder, so that a running process need not read that."""

ADVISORY_LOCK: Final = 0x7474_7371
"""PostgreSQL's advisory lock under which migrations run ("ttsq" in ASCII), so that two never run at once."""


def migrations_folder() -> Path:
    """Where the migrations are: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def revision(database: Database) -> str | None:
    """The database's revision, or None where it has no tables yet."""
    try:
        with database.read() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DBAPIError as error:
        missing = "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", None) == "42P01"
        if missing:
            return None
        raise


def upgrade(database: Database, to: str = "head") -> None:
    """Bring the database to a revision; nothing happens when it is there already."""
    from alembic import command  # noqa: PLC0415 - 0.1 s that only a migrating process should spend

    with database.begin() as connection:
        _lock(connection)
        command.upgrade(_config(connection), to)


def downgrade(database: Database, to: str) -> None:
    """Take the database back to an older revision."""
    from alembic import command  # noqa: PLC0415 - as above

    with database.begin() as connection:
        _lock(connection)
        command.downgrade(_config(connection), to)


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()))
    config.attributes["connection"] = connection
    return config
