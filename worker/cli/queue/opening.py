"""From settings to a database that is ready to use, or why it isn't. Makes tables only where nobody else may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker import logs
from worker import settings as settings_page
from worker.cli.talk.errors import NewerDatabaseError, NoQueueError, NotMigratedError
from worker.cli.talk.terminal import Terminal
from worker.settings import Settings
from worker.store import schema
from worker.store.database import Database


def settings(terminal: Terminal) -> Settings:
    """The settings of this process; their key is kept from the terminal."""
    return terminal.guard(settings_page.load())


def connect(chosen: Settings) -> Database:
    """The database of the settings, not asked anything yet. Makes the folder of an SQLite file."""
    return Database(chosen.database_url, connections=chosen.database_connections)


@contextmanager
def queue(chosen: Settings) -> Iterator[Database]:
    """An existing queue, to look at and to change."""
    if (path := sqlite_file(chosen)) and not path.exists():
        raise NoQueueError(str(path))
    database = connect(chosen)
    try:
        _check_revision(schema.revision(database))
        with logs.silenced():  # an event that is recorded is logged as well, and a command has its own words for it
            yield database
    finally:
        database.close()


@contextmanager
def queue_to_fill(chosen: Settings) -> Iterator[Database]:
    """A queue for a producer. The embedded default upgrades its own file; a shared database is nobody's own."""
    database = connect(chosen)
    try:
        found = schema.revision(database)
        if chosen.embedded and database.is_sqlite and (found is None or found < schema.HEAD):
            schema.upgrade(database)
        else:
            _check_revision(found)
        yield database
    finally:
        database.close()


def sqlite_file(chosen: Settings) -> Path | None:
    """The file of an SQLite database; None for a server's, or one in memory."""
    scheme, _, path = chosen.database_url.partition(":///")
    return Path(path) if scheme.startswith("sqlite") and path not in {"", ":memory:"} else None


def _check_revision(found: str | None) -> None:
    if found == schema.HEAD:
        return
    # Revisions are numbers padded with zeros, so that they sort by age.
    if found is not None and found > schema.HEAD:
        raise NewerDatabaseError(found, schema.HEAD)
    raise NotMigratedError(found, schema.HEAD)
