"""Word of jobs that were handed in, from whoever commits them to the dispatcher that leads.

On PostgreSQL a notice is part of the producer's transaction: it is heard at the commit, and never if that rolls back.
SQLite has no such thing; there a watcher looks a hundred times a second whether the file has changed, which costs it
a hundredth of a millisecond each.

Its weakness: nobody keeps a notice for a listener who is away, and some poolers pass none on. Whoever listens must
look by itself as well, if more rarely.
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
"""PostgreSQL's channel for them. A notice says nothing but that there is something to look at."""
GLANCE_SECONDS: Final = 0.01
"""Between two looks at a SQLite file."""

ADVISORY_LOCK: Final = 0x7474_7361
"""PostgreSQL's advisory lock of whoever is about to commit a notice ("ttsa" in ASCII)."""

_NOTIFY: Final = text(f"SELECT pg_notify('{CHANNEL}', '') WHERE pg_try_advisory_xact_lock({ADVISORY_LOCK})")

Wait = Callable[[float], bool]
"""Waits at most so many seconds. Whether something was handed in."""


def announce(connection: Connection) -> None:
    """Have the leader told, when this transaction commits, that it has work. Nothing on SQLite, which is watched.

    PostgreSQL lets transactions with notices commit one at a time. So that producers never wait for one another, none
    gives notice while somebody else's is on its way: a leader that was just told looks again in a tenth of a second.
    """
    if connection.dialect.name != "postgresql" or isinstance(connection.get_transaction(), TwoPhaseTransaction):
        return  # PostgreSQL prepares no transaction with a notice in it; such jobs are found by looking
    connection.execute(_NOTIFY)


@contextmanager
def watch(database: Database) -> Iterator[Wait]:
    """Listen on a connection of its own, for as long as the block lasts.

    Raises:
        SQLAlchemyError: it can't be had, or, from the waiting, was lost.
    """
    way = _by_looking if database.is_sqlite else _by_listening
    own = Database(database.url.render_as_string(hide_password=False), connections=1)
    try:
        with way(own) as wait:
            yield wait
    finally:
        own.close()


@contextmanager
def _by_listening(database: Database) -> Iterator[Wait]:
    with database.at_once() as connection:
        connection.execute(text(f"LISTEN {CHANNEL}"))
        driver: Any = connection.connection.driver_connection  # psycopg's, which knows notices

        def wait(seconds: float) -> bool:
            try:
                return any(True for _ in driver.notifies(timeout=seconds, stop_after=1))
            except connection.dialect.loaded_dbapi.Error as error:
                connection.invalidate()
                raise OperationalError(f"LISTEN {CHANNEL}", None, error) from error

        yield wait


@contextmanager
def _by_looking(database: Database) -> Iterator[Wait]:
    # Not through SQLAlchemy's own connection: in a transaction, nothing of what others commit would be seen.
    held = database.engine.raw_connection()
    try:
        yield _Watch(held)
    finally:
        held.close()


class _Watch:
    """A SQLite file whose number of changes, and then whose newest job, is compared with those seen before."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 - the driver's own connection
        self._connection = connection
        self._changes = self._one("PRAGMA data_version")
        self._newest = self._newest_job()

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
        self._changes, before, self._newest = changes, self._newest, self._newest_job()
        return self._newest > before

    def _newest_job(self) -> int:
        return self._one("SELECT max(rowid) FROM jobs") or 0

    def _one(self, statement: str) -> int:
        cursor = self._connection.cursor()
        try:
            value: int = cursor.execute(statement).fetchone()[0]
        except sqlite3.Error as error:
            raise OperationalError(statement, None, error) from error
        finally:
            cursor.close()
        return value
