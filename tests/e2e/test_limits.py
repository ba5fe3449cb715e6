"""What one worker may hold at most: connections to each service, whatever there is to do."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from api_models.status import TERMINAL, JobStatus
from tests.cluster.shape import Shape
from tests.cluster.waiting import wait_for
from tests.e2e.conftest import StartCluster
from worker.emulator.config import EmulatorConfig

SLOTS: Final = 40
DATABASE_CONNECTIONS: Final = 6
OF_THE_LEADER: Final = 1
"""A further connection, for the notifications of new jobs, of the inbox and of events."""
BROKER_CONNECTIONS: Final = 6
"""To receive, to send, and what is being replaced."""
LINES: Final = [f"Deck chair number {number} is by the pool." for number in range(1, 401)]
ESTABLISHED: Final = "01"


@pytest.mark.skipif(sys.platform != "linux", reason="connections are counted in /proc")
def test_connections_are_bounded(start_cluster: StartCluster) -> None:
    """To the database what the settings permit, to the broker a few, to API and store one a slot; none is left over."""
    settings = {"TTSQ_DATABASE_CONNECTIONS": str(DATABASE_CONNECTIONS)}
    emulator = EmulatorConfig(audio_bytes=24_044)
    cluster = start_cluster(Shape(workers=1, slots=SLOTS, latency_seconds=0.5, emulator=emulator, settings=settings))
    (worker,) = cluster.workers
    services = cluster.services
    assert services.postgres is not None
    assert services.s3 is not None
    ports = {
        "database": services.postgres.port,
        "broker": services.valkey.port,
        "store": services.s3.port,
        "API": urlsplit(cluster.emulator.base_url).port or 0,
    }
    most: Counter[str] = Counter()
    batch = cluster.submit(LINES)

    def done() -> bool:
        found = _connections(worker.pid)
        for name, port in ports.items():
            most[name] = max(most[name], found[port])
        counts = cluster.counts(batch)
        return counts.of(*TERMINAL) == counts.total

    wait_for(done, seconds=90, what="all jobs over")

    print(f"{SLOTS} slots, at most: {dict(most)}")
    assert cluster.counts(batch).by_status == {JobStatus.SUCCEEDED: len(LINES)}
    assert 3 <= most["database"] <= DATABASE_CONNECTIONS + OF_THE_LEADER
    assert 1 <= most["broker"] <= BROKER_CONNECTIONS
    assert SLOTS // 2 <= most["API"] <= SLOTS + 2
    assert most["store"] <= SLOTS  # perhaps none: this one ends a connection with its answer


def _connections(pid: int) -> Counter[int]:
    """A process's established connections, by the port at the other end."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            inodes.add(descriptor.readlink().name.removeprefix("socket:[").removesuffix("]"))
    # By socket: while others come and go, the kernel lists some several times.
    ports: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, _, remote, state, *_, inode = line.split()[:10]
        if state == ESTABLISHED and inode in inodes:
            ports[inode] = int(remote.rsplit(":", 1)[1], 16)
    return Counter(ports.values())
