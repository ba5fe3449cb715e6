"""Redis behind a Sentinel: a primary, its replica, and the watchman that puts one in the other's place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Final

import redis

from tests.servers.ports import LOOPBACK
from tests.servers.server import Server
from tests.servers.valkey import Valkey

NAME: Final = "speech"
DOWN_MS: Final = 1_000
FAILOVER_MS: Final = 10_000


class Replica(Valkey):
    """A copy of another server."""

    def __init__(self, primary: Valkey) -> None:
        super().__init__()
        self._primary = primary

    def command(self) -> Sequence[str]:
        return [*super().command(), "--replicaof", LOOPBACK, str(self._primary.port)]


class Sentinel(Server):
    """Watches one primary, and alone decides on a failover."""

    name = "sentinel"
    ready_line = "+monitor master"

    def __init__(self, primary: Valkey, *, port: int | None = None) -> None:
        """`port` leads to the primary, if that isn't its own."""
        super().__init__()
        self._primary = primary
        self._primary_port = port

    def greet(self) -> None:
        with closing(redis.Redis(port=self.port, socket_timeout=5)) as client:
            client.ping()

    def command(self) -> Sequence[str]:
        """The server's own binary in its other role; it writes what it learns to its configuration file."""
        configuration = self.folder / "sentinel.conf"
        configuration.write_text(
            f"port {self.port}\nbind {LOOPBACK}\ndir {self.folder}\n"
            f"sentinel monitor {NAME} {LOOPBACK} {self._primary_port or self._primary.port} 1\n"
            f"sentinel down-after-milliseconds {NAME} {DOWN_MS}\n"
            f"sentinel failover-timeout {NAME} {FAILOVER_MS}\n"
        )
        return [self._primary.command()[0], str(configuration), "--sentinel"]


@dataclass(frozen=True, slots=True)
class Watched:
    """A primary with its replica."""

    primary: Valkey
    replica: Replica
    sentinel: Sentinel

    @property
    def url(self) -> str:
        return f"sentinel://{LOOPBACK}:{self.sentinel.port}/0?master_name={NAME}"

    def knows_replica(self) -> bool:
        """Whether the Sentinel has seen the replica and the replica is in step, so that it can be promoted."""
        with closing(redis.Redis(port=self.sentinel.port, decode_responses=True)) as client:
            seen = client.sentinel_slaves(NAME)
        return any(int(one["port"]) == self.replica.port and one["master-link-status"] == "ok" for one in seen)


@contextmanager
def watched() -> Iterator[Watched]:
    """All three, for as long as the block lasts."""
    with ExitStack() as stack:
        primary = stack.enter_context(Valkey())
        replica = stack.enter_context(Replica(primary))
        yield Watched(primary, replica, stack.enter_context(Sentinel(primary)))
