"""What the tests of hostile clients share: `ttsq serve` in a process of its own, and raw connections to it."""

from __future__ import annotations

import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from urllib.parse import urlsplit

from api_models.access import EVERYTHING
from tests.factories import NOW
from tests.gateway import Client, served
from worker.store.access import api_keys
from worker.store.database import Database

HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "
WHOLE_HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Served:
    """`ttsq serve` with keys, and its database."""

    process: Popen[str]
    address: str
    database: Database
    log: Path

    def client(self, tenant: str = "acme") -> Client:
        """A client with a new key of this tenant."""
        with self.database.begin() as connection:
            _, key = api_keys.make(
                connection, tenant=tenant, name="test", scopes=EVERYTHING, rate=None, budget=None, now=NOW
            )
        return Client(self.address, key)

    @property
    def stranger(self) -> Client:
        """A client without a key."""
        return Client(self.address)

    def connect(self, *, timeout: float = 30) -> socket.socket:
        """A connection that has sent nothing."""
        place = urlsplit(self.address)
        return socket.create_connection((str(place.hostname), int(place.port or 0)), timeout=timeout)

    def stop(self) -> None:
        """Ask it to stop."""
        self.process.send_signal(signal.SIGTERM)

    @property
    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


@contextmanager
def serving(folder: Path, migrated_file: Path, **settings: str) -> Iterator[Served]:
    """The real command on a port of loopback, over a SQLite file, asking for keys."""
    path = folder / "queue.db"
    shutil.copyfile(migrated_file, path)
    needed = {"TTSQ_DATABASE_URL": f"sqlite:///{path}", "TTSQ_BROKER_URL": "redis://127.0.0.1:9/0"}
    database = Database(f"sqlite:///{path}")
    try:
        with served(folder, **needed | settings) as (process, address):
            yield Served(process, address, database, folder / "log")
    finally:
        database.close()


def answered(connection: socket.socket) -> bytes:
    """One answer with its head and the little body that it has."""
    connection.sendall(WHOLE_HEAD)
    found = b""
    while b'{"status":"ok"}' not in found:
        block = connection.recv(65_536)
        assert block, found
        found += block
    return found


def is_closed(connection: socket.socket) -> bool:
    """Wait until the other side closes. False if it sends for longer than the connection's timeout allows."""
    with suppress(ConnectionResetError):
        while connection.recv(65_536):
            pass
    return True


@contextmanager
def many(number: int, server: Served, first: bytes) -> Iterator[list[socket.socket]]:
    """This many connections, each of which has sent `first`."""
    with ExitStack() as stack:
        found = [stack.enter_context(server.connect()) for _ in range(number)]
        for one in found:
            one.sendall(first)
        yield found
