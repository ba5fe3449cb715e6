"""Opens a producer's database so that a query can only read, and only for a limited time.

PostgreSQL: a read-only transaction, one statement, `statement_timeout`. SQLite: the file is opened read-only and every
action but reading is refused, as ATTACH and VACUUM INTO would write other files. MySQL: a read-only session. Weakness:
of other databases only the time between rows is limited; give their user no more than SELECT.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, CursorResult, Engine, NullPool, create_engine
from sqlalchemy.engine import URL

CONNECT_SECONDS: Final = 10
SQLITE_BUSY_SECONDS: Final = 5
SQLITE_STEPS: Final = 10_000
"""Steps of SQLite's machine between two looks at the clock."""
_READING: Final = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
_WRITING_FUNCTIONS: Final = frozenset({"load_extension", "writefile", "edit", "fts3_tokenizer"})


@contextmanager
def connected(url: URL, seconds: float) -> Iterator[Connection]:
    """Connect for one query of at most this many seconds. Raises ImportError: the driver is not installed;
    NoSuchModuleError: SQLAlchemy does not know the database; SQLAlchemyError: the database cannot be reached.
    """
    engine = _sqlite(url, seconds) if url.get_backend_name() == "sqlite" else _server(url)
    try:
        with engine.connect().execution_options(**_options(url)) as connection:
            _limit(connection, seconds)
            yield connection
    finally:
        engine.dispose()


def execute(connection: Connection, sql: str) -> CursorResult[tuple[object, ...]]:
    """Run a query as it is written: a `%` in it is no placeholder."""
    connection = connection.execution_options(stream_results=True)
    if connection.dialect.driver == "psycopg":
        # Without parameters psycopg would accept several statements, and the first could end the transaction.
        return connection.exec_driver_sql(sql.replace("%", "%%"), ())
    return connection.execution_options(no_parameters=True).exec_driver_sql(sql)


def _options(url: URL) -> dict[str, bool]:
    return {"postgresql_readonly": True} if url.get_backend_name() == "postgresql" else {}


def _limit(connection: Connection, seconds: float) -> None:
    match connection.dialect.name:
        case "postgresql":
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {int(seconds * 1_000)}")
        case "mysql" | "mariadb":
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
        case "sqlite":
            driver: Any = connection.connection.dbapi_connection
            driver.set_authorizer(_authorize)  # not before: SQLAlchemy sends PRAGMAs when it connects


def _server(url: URL) -> Engine:
    has_timeout = url.get_driver_name() in {"psycopg", "psycopg2", "pymysql", "mysqldb"}
    connect = {"connect_timeout": CONNECT_SECONDS} if has_timeout and "connect_timeout" not in url.query else {}
    return create_engine(url, poolclass=NullPool, connect_args=connect)


def _sqlite(url: URL, seconds: float) -> Engine:
    name = (url.database or "").removeprefix("file:").partition("?")[0]
    address = f"file:{quote(str(Path(name).absolute()))}?mode=ro" if name and name != ":memory:" else ":memory:"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(address, uri=True, timeout=SQLITE_BUSY_SECONDS, check_same_thread=False)
        ends_at = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > ends_at, SQLITE_STEPS)
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def _authorize(action: int, _subject: str | None, detail: str | None, *_: str | None) -> int:
    reads = action in _READING and not (action == sqlite3.SQLITE_FUNCTION and detail in _WRITING_FUNCTIONS)
    return sqlite3.SQLITE_OK if reads else sqlite3.SQLITE_DENY
