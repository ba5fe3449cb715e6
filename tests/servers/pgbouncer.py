"""PgBouncer from Debian's package, in front of a PostgreSQL server."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg

from tests.servers.debian import unpacked
from tests.servers.installation import account
from tests.servers.places import quick_folder
from tests.servers.ports import LOOPBACK
from tests.servers.postgres import Postgres
from tests.servers.process import Account
from tests.servers.server import Server

PACKAGES: Final = ("pgbouncer", "libevent-2.1-7", "libc-ares2")
POOL: Final = 20
"""Sessions of the server, for all clients."""


class PgBouncer(Server):
    """A pooler in `session` or `transaction` mode, as Debian configures it but for addresses and users."""

    name = "pgbouncer"
    ready_line = "process up"

    def __init__(self, postgres: Postgres, mode: str, *, users: Mapping[str, str] | None = None) -> None:
        """`users` are names and passwords of roles beside the administrator."""
        super().__init__()
        self._users = users or {}
        self._postgres = postgres
        self._mode = mode
        self._files = unpacked("pgbouncer", *PACKAGES)

    @property
    def account(self) -> Account:
        """An ordinary user: PgBouncer refuses root."""
        return account()

    def url(self, database: str, query: str = "") -> str:
        """SQLAlchemy's address of a database behind it."""
        parts = urlsplit(self._postgres.url(database))
        return f"{parts.scheme}://{parts.username}:{parts.password}@{LOOPBACK}:{self.port}/{database}{query}"

    def greet(self) -> None:
        """Ask the server behind it for an answer."""
        with psycopg.connect(self.url("postgres").replace("+psycopg", "", 1), connect_timeout=10) as connection:
            connection.execute("SELECT 1")

    def command(self) -> Sequence[str]:
        """The pooler in the foreground."""
        server = urlsplit(self._postgres.url())
        users, config = self.folder / "users.txt", self.folder / "pgbouncer.ini"
        known = {str(server.username): str(server.password), **self._users}
        users.write_text("".join(f'"{name}" "{password}"\n' for name, password in known.items()))
        config.write_text(
            f"[databases]\n* = host={LOOPBACK} port={self._postgres.port}\n"
            f"[pgbouncer]\nlisten_addr = {LOOPBACK}\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {users}\npool_mode = {self._mode}\n"
            f"max_client_conn = 500\ndefault_pool_size = {POOL}\n"
        )
        for path in (self.folder, users, config):
            path.chmod(0o755 if path == self.folder else 0o644)
        libraries = self._files / "usr/lib" / f"{platform.machine()}-linux-gnu"
        program = self._files / "usr/sbin/pgbouncer"
        return ["/usr/bin/env", f"LD_LIBRARY_PATH={libraries}", str(program), str(config)]

    def home(self) -> Path:
        """A folder that the pooler's user can reach."""
        return quick_folder()
