"""Open the database named by the settings; look up batches and jobs. Creates tables only in the embedded default."""

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
from worker.settings import HOME, Settings
from worker.store import batches, schema
from worker.store.batches import BatchRecord
from worker.store.database import Database
from worker.store.queries import jobs
from worker.store.queries.jobs import JobRecord
from worker.telemetry import logs

REHEARSAL_DATABASE: Final = HOME / "rehearsal" / "ttsq.db"
REHEARSAL_DATABASE_URL: Final = f"sqlite:///{REHEARSAL_DATABASE}"
"""The queue of `ttsq run --rehearse`."""
SEARCHED_BATCHES: Final = 10_000
"""Names and id prefixes are matched against this many of the newest batches; a full id matches any batch."""
SEARCHED_NAMES: Final = 1_000
"""A job's custom_id is looked up in this many of the newest batches."""
SHOWN_MATCHES: Final = 5


def batch(connection: Connection, wanted: str) -> BatchRecord:
    """Find a batch by id, unique id prefix, or name with or without its suffix (the newest wins). Raises
    UnknownBatchError or AmbiguousError.
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
    """Find a job by its id, its custom_id, or a unique prefix of its id. Raises UnknownJobError or AmbiguousError."""
    named = [] if _uuid(wanted) else _named(connection, wanted, None)
    found = named or jobs.by_id_prefix(connection, wanted, most=SHOWN_MATCHES)
    if not found:
        raise UnknownJobError(wanted)
    if len(found) > 1:
        raise AmbiguousError("job", wanted, [str(record.id) for record in found[:SHOWN_MATCHES]])
    return found[0]


def newest_job(connection: Connection, wanted: str, batch_wanted: str | None) -> tuple[JobRecord, int]:
    """As `job`, but of several jobs with one custom_id return the newest, and how many are older. Raises
    UnknownJobError, AmbiguousError or UnknownBatchError.
    """
    within = None if batch_wanted is None else batch(connection, batch_wanted).id
    named = [] if _uuid(wanted) else _named(connection, wanted, within)
    if named:
        return named[0], len(named) - 1
    found = job(connection, wanted)
    if within is not None and found.batch_id != within:
        raise UnknownJobError(wanted)
    return found, 0


def _named(connection: Connection, custom_id: str, batch_id: UUID | None) -> list[JobRecord]:
    if batch_id is not None:
        return jobs.by_custom_id(connection, custom_id, [batch_id])
    newest = [record.id for record in batches.latest(connection, most=SEARCHED_NAMES)]
    return jobs.by_custom_id(connection, custom_id, [*newest, None])


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def settings(terminal: Terminal) -> Settings:
    """Load the settings; from now on their API key is redacted from terminal output."""
    return terminal.guard(settings_page.load())


def connect(chosen: Settings) -> Database:
    """Return the database of the settings, not yet connected. Creates the folder of an SQLite file."""
    return Database(chosen.database_url, connections=chosen.database_connections)


@contextmanager
def queue(chosen: Settings) -> Iterator[Database]:
    """Open an existing queue. Raises NoQueueError, NotMigratedError or NewerDatabaseError."""
    if (path := sqlite_file(chosen)) and not path.exists():
        raise NoQueueError(str(path), REHEARSAL_DATABASE_URL if REHEARSAL_DATABASE.exists() else None)
    database = connect(chosen)
    try:
        _check_revision(schema.revision(database))
        with logs.silenced():  # recording an event also logs it; the command prints its own message
            yield database
    finally:
        database.close()


@contextmanager
def queue_to_fill(chosen: Settings) -> Iterator[Database]:
    """Open a queue for submission. Creates or upgrades the embedded SQLite file, never a shared database."""
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
    """Return the file of an SQLite database, or None for a server or an in-memory database."""
    scheme, _, path = chosen.database_url.partition(":///")
    return Path(path) if scheme.startswith("sqlite") and path not in {"", ":memory:"} else None


def _check_revision(found: str | None) -> None:
    if found == schema.HEAD:
        return
    # Revisions are zero-padded numbers, so they sort by age.
    if found is not None and found > schema.HEAD:
        raise NewerDatabaseError(found, schema.HEAD)
    raise NotMigratedError(found, schema.HEAD)
