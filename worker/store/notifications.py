"""Notifies the leading dispatcher of submitted jobs, the outbox relay of events, and the leader of the inbox.

On PostgreSQL a notification is part of the producer's transaction: it is delivered at the commit, and dropped by a
rollback. SQLite has no notifications; there the file is checked for changes up to a hundred times a second, at 10
microseconds each.

Weakness: a notification is lost without a listener, and poolers in transaction mode drop them. A listener must also
poll, if less often.
"""

from __future__ import annotations

import select
import socket
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
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
"""Between two checks of a SQLite file that has changed lately."""
IDLE_GLANCE_SECONDS: Final = 0.03
"""Between two checks of one that has not changed for `IDLE_AFTER_SECONDS`."""
IDLE_AFTER_SECONDS: Final = 1.0

ADVISORY_LOCK: Final = 0x7474_7361
"""PostgreSQL's advisory lock of a transaction that will send a notification ("ttsa" in ASCII)."""

_NOTIFY: Final = text(f"SELECT pg_notify('{CHANNEL}', '') WHERE pg_try_advisory_xact_lock({ADVISORY_LOCK})")

_NOTIFY_EVENTS: Final = text(f"SELECT pg_notify('{EVENTS}', '')")
_NEWEST: Final = {
    CHANNEL: "SELECT max(rowid) FROM jobs",
    EVENTS: "SELECT max(id) FROM events",
    INBOX: "SELECT max(number) FROM inbox",
}

Wait = Callable[[float], Collection[str]]
"""Wait for at most this many seconds. Returns the channels that were notified; none after an interrupt."""


class Interrupt:
    """Ends a wait early, from any thread."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        for end in (self._receiver, self._sender):
            end.settimeout(0)

    def fileno(self) -> int:
        return self._receiver.fileno()

    def set(self) -> None:
        with suppress(OSError):  # it is set already, or closed: nothing waits
            self._sender.send(b"!")

    def clear(self) -> None:
        with suppress(BlockingIOError):
            self._receiver.recv(4_096)

    def close(self) -> None:
        self._receiver.close()
        self._sender.close()


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
def watch(
    database: Database, channels: Sequence[str] = (CHANNEL,), interrupt: Interrupt | None = None
) -> Iterator[Wait]:
    """Listen on a dedicated connection for the duration of the block. Raises SQLAlchemyError: the connection failed;
    from waiting: it was lost.
    """
    way = _by_looking if database.is_sqlite else _by_listening
    own = Database(database.url.render_as_string(hide_password=False), connections=1)
    try:
        with way(own, channels, interrupt) as wait:
            yield wait
    finally:
        own.close()


@contextmanager
def _by_listening(database: Database, channels: Sequence[str], interrupt: Interrupt | None) -> Iterator[Wait]:
    with database.session() as connection:
        for channel in channels:
            connection.execute(text(f"LISTEN {channel}"))
        driver: Any = connection.connection.driver_connection  # psycopg's connection, which has notifies()

        def received() -> set[str]:
            try:
                return {notice.channel for notice in driver.notifies(timeout=0)}
            except connection.dialect.loaded_dbapi.Error as error:
                connection.invalidate()
                raise OperationalError(f"LISTEN {', '.join(channels)}", None, error) from error

        def wait(seconds: float) -> set[str]:
            # What came with the answer to a statement is in memory, where the socket no longer shows it.
            if heard := received():
                return heard
            return received() if _is_readable(driver.fileno(), interrupt, seconds) else heard

        yield wait


def _is_readable(descriptor: int, interrupt: Interrupt | None, seconds: float) -> bool:
    """Wait for the descriptor; an interrupt ends the wait."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if interrupt is not None:
        poll.register(interrupt, select.POLLIN)
    found = [ready for ready, _ in poll.poll(seconds * 1_000)]
    if interrupt is not None and interrupt.fileno() in found:
        interrupt.clear()
    return descriptor in found


@contextmanager
def _by_looking(database: Database, channels: Sequence[str], interrupt: Interrupt | None) -> Iterator[Wait]:
    # Not SQLAlchemy's connection: inside a transaction, commits of others stay invisible.
    held = database.engine.raw_connection()
    try:
        yield _Watch(held, channels, interrupt)
    finally:
        held.close()


class _Watch:
    """Compares a SQLite file's change counter, and then the newest rows of its tables, with those seen before."""

    def __init__(self, connection: Any, channels: Sequence[str], interrupt: Interrupt | None) -> None:  # noqa: ANN401 - the driver's own connection
        self._connection = connection
        self._interrupt = interrupt
        self._changes = self._one("PRAGMA data_version")
        self._changed_at = time.monotonic()
        self._newest = {channel: self._newest_row(channel) for channel in channels}

    def __call__(self, seconds: float) -> set[str]:
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline:
            if self._has_changed() and (grown := self._grown()):
                return grown
            is_idle = now - self._changed_at > IDLE_AFTER_SECONDS
            if self._pause(IDLE_GLANCE_SECONDS if is_idle else GLANCE_SECONDS):
                break
        return set()

    def _pause(self, seconds: float) -> bool:
        """Return whether the pause was interrupted."""
        if self._interrupt is None:
            time.sleep(seconds)
            return False
        poll = select.poll()
        poll.register(self._interrupt, select.POLLIN)
        was_interrupted = bool(poll.poll(seconds * 1_000))
        if was_interrupted:
            self._interrupt.clear()
        return was_interrupted

    def _has_changed(self) -> bool:
        before, self._changes = self._changes, self._one("PRAGMA data_version")
        if self._changes == before:
            return False
        self._changed_at = time.monotonic()
        return True

    def _grown(self) -> set[str]:
        before, self._newest = self._newest, {channel: self._newest_row(channel) for channel in self._newest}
        return {channel for channel, newest in self._newest.items() if newest > before[channel]}

    def _newest_row(self, channel: str) -> int:
        return self._one(_NEWEST[channel]) or 0

    def _one(self, statement: str) -> int:
        cursor = self._connection.cursor()
        try:
            value: int = cursor.execute(statement).fetchone()[0]
        except sqlite3.Error as error:
            raise OperationalError(statement, None, error) from error
        finally:
            cursor.close()
        return value
