"""A host: one worker process after another, started as users start it, on one spool and by its own ways."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from tests.chaos.event_timeline import Chronicle, Exit, Kill
from tests.chaos.services import Service, led_through
from tests.cluster.cluster import Cluster
from tests.cluster.link import Link
from tests.cluster.namespaces import Cable
from tests.cluster.processes import WorkerProcess
from tests.cluster.waiting import wait_for

LAST_WORDS: Final = 1_500
UP_SECONDS: Final = 60.0
SIGNED_ON: Final = "worker_started"


@dataclass(slots=True)
class Host:
    """What a machine with a worker is to the others."""

    name: str
    cluster: Cluster
    chronicle: Chronicle
    spool: Path
    links: Mapping[Service, Link]
    settings: Mapping[str, str] = field(default_factory=dict)
    through: Sequence[str] = ()
    cables: Mapping[Service, Cable] = field(default_factory=dict)
    worker: WorkerProcess | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Held by every disturbance of this host's worker."""
    wanted: bool = False
    """Whether its worker ought to be running, so that one that left by itself is started again."""

    def start(self) -> None:
        """Start a worker; `await_up` waits until it has signed on."""
        ways = {service: link.address for service, link in self.links.items()}
        hosts = ",".join(sorted({host for host, _ in ways.values()}))
        self.worker = self.cluster.launch_worker(
            through=self.through,
            **led_through(self.cluster.environment(), ways),
            **self.settings,
            TTSQ_SPOOL_DIR=str(self.spool),
            NO_PROXY=hosts,
            no_proxy=hosts,
        )
        self.wanted = True

    def await_up(self) -> None:
        """Return once its worker has signed on, after as many starts as that takes."""
        wait_for(self._comes_up, seconds=UP_SECONDS, what=f"{self.name} signed on", instead=lambda: self._worker().log)

    def kill(self) -> None:
        """SIGKILL; records the jobs that the worker held."""
        self.wanted = False
        worker = self._worker()
        kill = self.in_hand()
        worker.send(signal.SIGKILL)
        worker.wait()
        self.chronicle.kills.append(kill)

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        self.wanted = False
        return self.cluster.terminate(self._worker())

    def freeze(self) -> None:
        """SIGSTOP: it does nothing, and the others can't tell that from its death."""
        self._worker().send(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._worker().send(signal.SIGCONT)

    def age_spool(self, seconds: float) -> None:
        """As if so much time had passed since its files were written."""
        for path in self.spool.rglob("*"):
            written = path.stat().st_mtime
            os.utime(path, (written - seconds, written - seconds))

    def part_from(self, service: Service) -> None:
        """Partition: drop all traffic between its worker and a service without closing a connection."""
        if service in self.cables:
            self.cables[service].unplug()
        else:
            self.links[service].freeze()

    def join_to(self, service: Service) -> None:
        """The end of a partition."""
        if service in self.cables:
            self.cables[service].plug()
        else:
            self.links[service].restore()

    def revive(self) -> None:
        """Start its worker again if that left by itself, as a supervisor would."""
        if self.wanted and self.worker is not None and not self.worker.alive:
            status, signed_on = self.worker.wait(), SIGNED_ON in self.worker.log
            self.chronicle.exits.append(Exit(self.name, datetime.now(UTC), status, signed_on, self.last_words()))
            self.start()

    def last_words(self) -> str:
        """The end of its present worker's log."""
        return self._worker().log[-LAST_WORDS:]

    def worker_id(self) -> UUID | None:
        """The id of its present worker, once that has signed on."""
        return self.cluster.seen.known_worker(self._worker().pid)

    def _worker(self) -> WorkerProcess:
        assert self.worker is not None, f"{self.name} was never started"
        return self.worker

    def is_up(self) -> bool:
        """Whether its worker has signed on, and is there."""
        return self.worker is not None and self.worker.alive and SIGNED_ON in self.worker.log

    def _comes_up(self) -> bool:
        with self.turn:
            self.revive()
        return self.is_up()

    def in_hand(self) -> Kill:
        """Jobs its worker holds now. Read it before a kill; afterwards the information is lost."""
        seen = self.cluster.seen
        try:
            worker_id = self.worker_id()
            leads = worker_id is not None and seen.leader() == worker_id
            running = frozenset(seen.attempts_on(worker_id)) if worker_id else frozenset()
        except SQLAlchemyError:
            return Kill(None, datetime.now(UTC), led=False)
        return Kill(worker_id, datetime.now(UTC), leads, running)
