"""From settings to a database that is ready to use, or why it isn't. Makes tables only where nobody else may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from api_models.hints import did_you_mean
from worker import settings as settings_page
from worker.cli.console.errors import (
    AmbiguousError,
    NewerDatabaseError,
    NoQueueError,
    NotMigratedError,
    UnknownBatchError,
    UnknownJobError,
)
from worker.cli.console.format import short
from worker.cli.console.terminal import Terminal
from worker.settings import Settings
from worker.store import batches, schema
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import jobs
from worker.store.queries.jobs import JobRecord
from worker.telemetry import logs

SEARCHED_BATCHES: Final = 10_000
"""The newest ones, in which a name or the beginning of an id is looked up; a whole id finds any."""
SHOWN_MATCHES: Final = 5


def batch(connection: Connection, wanted: str) -> BatchRecord:
    """The batch that is meant: by its id, by the beginning of one, or the newest of that name, with its ending or not.

    Raises:
        UnknownBatchError, AmbiguousError
    """
    if (batch_id := _uuid(wanted)) and (found := batches.by_id(connection, batch_id)):
        return found
    known = batches.latest(connection, most=SEARCHED_BATCHES)
    digits = wanted.replace("-", "").lower()
    matches = [record for record in known if digits and record.id.hex.startswith(digits)]
    if len(matches) == 1:
        return matches[0]
    named = next((record for record in known if wanted in {record.name, Path(record.name).stem}), None)
    if named is not None:
        return named
    if matches:
        raise AmbiguousError("batch", wanted, [short(record.id) for record in matches[:SHOWN_MATCHES]])
    raise UnknownBatchError(wanted, did_you_mean(wanted, {record.name for record in known}))


def job(connection: Connection, wanted: str) -> JobRecord:
    """The job whose id begins like this.

    Raises:
        UnknownJobError, AmbiguousError
    """
    found = jobs.by_id_prefix(connection, wanted, most=SHOWN_MATCHES)
    if not found:
        raise UnknownJobError(wanted)
    if len(found) > 1:
        raise AmbiguousError("job", wanted, [str(record.id) for record in found])
    return found[0]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


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
