"""Notifies the leading dispatcher of submitted jobs, the outbox relay of events, and the leader of the inbox.

On PostgreSQL a notification is part of the producer's transaction: it is delivered at the commit, and dropped by a
rollback. SQLite has no notifications; there the file is checked for changes a hundred times a second, at 10
microseconds each.

Weakness: a notification is lost without a listener, and poolers in transaction mode drop them. A listener must also
poll, if less often.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.engine import TwoPhaseTransaction
from sqlalchemy.exc import OperationalError

from worker.store.database import Database

CHANNEL: Final = "ttsq_arrivals"
"""PostgreSQL's channel for jobs. A notification has no payload."""
EVENTS: Final = "ttsq_events"
"""The channel for events and deliveries."""
INBOX: Final = "ttsq_inbox"
"""The channel for rows of the inbox; `ttsq_submit` notifies it."""
GLANCE_SECONDS: Final = 0.01
"""Between two checks of a SQLite file."""

ADVISORY_LOCK: Final = 0x7474_7361
"""PostgreSQL's advisory lock of a transaction that will send a notification ("ttsa" in ASCII)."""

_NOTIFY: Final = text(f"SELECT pg_notify('{CHANNEL}', '') WHERE pg_try_advisory_xact_lock({ADVISORY_LOCK})")

_NOTIFY_EVENTS: Final = text(f"SELECT pg_notify('{EVENTS}', '')")
_NEWEST: Final = {
    CHANNEL: "SELECT max(rowid) FROM jobs",
    EVENTS: "SELECT max(id) FROM events",
    INBOX: "SELECT max(number) FROM inbox",
}

Wait = Callable[[float], bool]
"""Wait for at most this many seconds. Returns whether jobs were submitted."""


def announce(connection: Connection) -> None:
    """Notify the leader when this transaction commits. Does nothing on SQLite, which is polled.

    PostgreSQL commits transactions with notifications one at a time. To keep producers from waiting for each other,
    only one of them notifies at a time: the leader polls again a tenth of a second after each notification.
    """
    if connection.dialect.name != "postgresql" or isinstance(connection.get_transaction(), TwoPhaseTransaction):
        return  # PostgreSQL cannot prepare a transaction with a notification; such jobs are found by polling
    connection.execute(_NOTIFY)


def announce_events(connection: Connection) -> None:
    """Notify the relay when this transaction commits. Does nothing on SQLite, which is polled."""
    if connection.dialect.name == "postgresql" and not isinstance(connection.get_transaction(), TwoPhaseTransaction):
        connection.execute(_NOTIFY_EVENTS)


@contextmanager
def watch(database: Database, channel: str = CHANNEL) -> Iterator[Wait]:
    """Listen on a dedicated connection for the duration of the block. Raises SQLAlchemyError: the connection failed;
    from waiting: it was lost.
    """
    way = _by_looking if database.is_sqlite else _by_listening
    own = Database(database.url.render_as_string(hide_password=False), connections=1)
    try:
        with way(own, channel) as wait:
            yield wait
    finally:
        own.close()


@contextmanager
def _by_listening(database: Database, channel: str) -> Iterator[Wait]:
    with database.session() as connection:
        connection.execute(text(f"LISTEN {channel}"))
        driver: Any = connection.connection.driver_connection  # psycopg's connection, which has notifies()

        def wait(seconds: float) -> bool:
            try:
                return any(True for _ in driver.notifies(timeout=seconds, stop_after=1))
            except connection.dialect.loaded_dbapi.Error as error:
                connection.invalidate()
                raise OperationalError(f"LISTEN {channel}", None, error) from error

        yield wait


@contextmanager
def _by_looking(database: Database, channel: str) -> Iterator[Wait]:
    # Not SQLAlchemy's connection: inside a transaction, commits of others stay invisible.
    held = database.engine.raw_connection()
    try:
        yield _Watch(held, _NEWEST[channel])
    finally:
        held.close()


class _Watch:
    """Compares a SQLite file's change counter, and then its newest row of a table, with those seen before."""

    def __init__(self, connection: Any, newest: str) -> None:  # noqa: ANN401 - the driver's own connection
        self._connection = connection
        self._statement = newest
        self._changes = self._one("PRAGMA data_version")
        self._newest = self._newest_row()

    def __call__(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._has_more():
                return True
            time.sleep(GLANCE_SECONDS)
        return False

    def _has_more(self) -> bool:
        changes = self._one("PRAGMA data_version")
        if changes == self._changes:
            return False
        self._changes, before, self._newest = changes, self._newest, self._newest_row()
        return self._newest > before

    def _newest_row(self) -> int:
        return self._one(self._statement) or 0

    def _one(self, statement: str) -> int:
        cursor = self._connection.cursor()
        try:
            value: int = cursor.execute(statement).fetchone()[0]
        except sqlite3.Error as error:
            raise OperationalError(statement, None, error) from error
        finally:
            cursor.close()
        return value
