"""Access to the database: one engine per process, short transactions, and the database's clock."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from worker.environment import private_files
from worker.store import sessions
from worker.store.errors import is_unstorable
from worker.store.sessions import AUTOCOMMIT, Sessions

SQLITE_BUSY_SECONDS: Final = 15
STATEMENT_TIMEOUT_MS: Final = 30_000
LOCK_TIMEOUT_MS: Final = 10_000
READ_ONLY: Final = "25006"
"""PostgreSQL's SQLSTATE for a read-only server."""


class Database:
    """One engine with reading and writing transactions."""

    def __init__(
        self,
        url: str,
        *,
        connections: int = 16,
        idle_seconds: float = 60.0,
        only_look: bool = False,
        unsynced_beside: Database | None = None,
    ) -> None:
        """`only_look` opens an SQLite file without changing anything on disk; it must be there.

        `unsynced_beside` is another engine on the same SQLite file, whose transactions reach the disk before any later
        one of it does, but not at their own commit: a power cut may undo the latest of them, never one of them alone.

        `url` is in SQLAlchemy's format; `connections` limits this process's connections to PostgreSQL.

        `idle_seconds` is how long PostgreSQL waits for a transaction's next statement. If this host vanishes, its rows
        stay locked for that long, because the server notices it in no other way.
        """
        self.url: URL = make_url(url)
        self.is_sqlite: Final = self.url.get_backend_name() == "sqlite"
        address, own = (self.url, {}) if self.is_sqlite else sessions.without_options(self.url)
        self._sessions = Sessions(_settings(idle_seconds) | own)
        self.engine: Final[Engine] = self._open(
            address, connections, only_look=only_look, is_synced=unsynced_beside is None
        )
        self._writing = self.engine.execution_options(ttsq_writes=True)
        self._at_once = self._writing if self.is_sqlite else self.engine.execution_options(isolation_level=AUTOCOMMIT)
        # SQLite has one writer. A lock here is fair and idle; SQLite's own busy handler sleeps and starves.
        self.writers_turn: AbstractContextManager[object]
        if unsynced_beside is not None:
            self.writers_turn = unsynced_beside.writers_turn
        else:
            self.writers_turn = threading.Lock() if self.is_sqlite else nullcontext()

    def _open(self, address: URL, connections: int, *, only_look: bool, is_synced: bool) -> Engine:
        if not self.is_sqlite:
            return _postgresql(address, connections, self._sessions)
        return _sqlite_unchanged(address) if only_look else _sqlite(address, is_synced=is_synced)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a writing transaction: committed at the end of the block, rolled back if it raises."""
        with self.writers_turn, self._writing.begin() as connection:
            yield connection

    @contextmanager
    def at_once(self) -> Iterator[Connection]:
        """Run a single writing statement that commits itself, without the round trips of a transaction."""
        with self.begin() if self.is_sqlite or self.is_pooled else self._at_once.connect() as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """Open a connection without transactions. Behind a pooler its statements may run in several sessions."""
        with self._at_once.connect() as connection:
            yield connection

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler such as PgBouncer stands in front of PostgreSQL."""
        if self._sessions.is_pooled is None and not self.is_sqlite:
            with self.engine.connect():
                pass
        return bool(self._sessions.is_pooled)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        with (self.engine if self.is_sqlite or self.is_pooled else self._at_once).connect() as connection:
            yield connection

    def now(self, connection: Connection) -> datetime:
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return moment.astimezone(UTC)

    def close(self) -> None:
        self.engine.dispose()


def is_passing(error: Exception) -> bool:
    """Whether a database error may be temporary: a lost connection, a restart, a lock, a full pool."""
    if is_unstorable(error):
        return False
    if not isinstance(error, DBAPIError):
        return True  # the pool's timeout
    state = str(getattr(error.orig, "sqlstate", None) or "")
    if error.connection_invalidated or not state:
        return True
    # Connection errors, serialization failures, resources, operator intervention, read-only, locks.
    return state.startswith(("08", "40", "53", "57", READ_ONLY, "55P03"))


def _sqlite(url: URL, *, is_synced: bool) -> Engine:
    if url.database and url.database != ":memory:":
        path = Path(url.database).absolute()
        private_files.make_folder(path.parent)
        _make_private(path)
        url = url.set(database=str(path))
    engine = create_engine(url, pool_size=8, max_overflow=100, connect_args={"timeout": SQLITE_BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own connection
        connection.isolation_level = None  # otherwise the driver begins transactions implicitly
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # A recorded payment survives a power cut.
        cursor.execute(f"PRAGMA synchronous={'FULL' if is_synced else 'NORMAL'}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: upgrading a read lock later can fail without waiting.
        writes = connection.get_execution_options().get("ttsq_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _sqlite_unchanged(url: URL) -> Engine:
    """Nothing is created beside the file: without a live log of changes it is read as it is."""
    path = Path(url.database or "").absolute()
    live = all(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-shm"))
    address = f"{path.as_uri()}?mode=ro{'' if live else '&immutable=1'}"
    return create_engine(
        "sqlite:///", creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False), poolclass=StaticPool
    )


def _make_private(path: Path) -> None:
    """The files beside the database, with its newest rows, get the mode of the database from SQLite."""
    if not path.exists():
        private_files.make_file(path)
    for suffix in ("", "-wal", "-shm", "-journal"):
        private_files.tighten(path.with_name(path.name + suffix))


def _settings(idle_seconds: float) -> dict[str, str]:
    return {
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": f"{idle_seconds * 1000:.0f}",
        "timezone": "UTC",
        # A statement that waited for a row must see its new version: at any higher level it would fail instead.
        "default_transaction_isolation": "read committed",
    }


def _postgresql(url: URL, connections: int, own: Sessions) -> Engine:
    defaults = {
        "connect_timeout": 5,
        "application_name": "ttsq",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
        pool_use_lifo=True,
        connect_args={name: value for name, value in defaults.items() if name not in url.query},
    )
    own.prepare(engine)

    @event.listens_for(engine, "handle_error")
    def _leave_a_replica(context: ExceptionContext) -> None:
        # After a failover, connections that survived would keep leading to the old primary.
        if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
            context.is_disconnect = True

    return engine
