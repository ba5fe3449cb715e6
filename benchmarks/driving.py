"""A dispatcher of ours that is driven by hand, tick by tick, beside workers that exist as rows alone.

Its statements, decisions and messages are the real ones. The workers' part is done here between two ticks: claims and
records by the real statements too, or, where only their number matters, by a statement for all at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES
from sqlalchemy import text
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from tests.factories import a_settlement
from tests.servers.valkey import Valkey
from worker.broker.publisher import Publisher
from worker.dispatch.config import DispatchLimits, WorkerScope
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.gates.probes import Prober, ProbeResult
from worker.process.broker_status import BrokerStatus
from worker.store import workers
from worker.store.database import Database
from worker.store.transitions import claims as job_claims
from worker.store.transitions import settlement
from worker.store.transitions.claims import Claim
from worker.store.transitions.dispatches import Waiting

_CLAIM: Final = text("""
    UPDATE jobs SET status = 'running', attempt = attempt + 1, attempts_used = attempts_used + 1, started_at = now(),
      worker_id = (CAST(:crew AS uuid[]))[1 + line % cardinality(CAST(:crew AS uuid[]))]
    WHERE status IN ('dispatched', 'running') AND status = 'dispatched'
""")
_END: Final = text("""
    WITH ending AS (
      SELECT id FROM jobs WHERE status IN ('dispatched', 'running') AND status = 'running' LIMIT :most
    ), ended AS (
      UPDATE jobs SET status = 'succeeded', finished_at = now(), worker_id = NULL, cost = 6700000000,
        uri = 's3://audio/' || line, sha256 = fingerprint, audio_bytes = 240000
      WHERE id IN (SELECT id FROM ending) RETURNING id, attempt, tenant, batch_id, model, started_at
    )
    INSERT INTO attempts (job_id, number, tenant, batch_id, model, started_at, finished_at, verdict, cost,
      cost_estimated, possibly_billed, noted)
    SELECT id, attempt, tenant, batch_id, model, started_at, now(), 'success', 6700000000, false, false, false
    FROM ended
""")
QUEUE: Final = "bench"
MESSAGES_TIMEOUT: Final = 600.0
"""Long, because messages stay unclaimed for a while at times and must not be treated as lost."""


@dataclass(slots=True)
class Driven:
    """One dispatcher, and the workers that it sees."""

    database: Database
    valkey: Valkey
    workers: int
    slots: int
    """Of each worker."""
    crew_database: Database = field(init=False)
    """The workers' own way to the same database."""
    dispatcher: Dispatcher = field(init=False)
    crew: list[UUID] = field(init=False)
    _published: list[Waiting] = field(default_factory=list)
    _messenger: Publisher = field(init=False)

    def __post_init__(self) -> None:
        self.crew_database = Database(self.database.url.render_as_string(hide_password=False), connections=1)
        TRANSPORT_ALIASES.update(redis="worker.broker.redis_transport:Transport")
        app = Celery("bench", broker=self.valkey.url, set_as_current=False)
        app.conf.broker_transport_options = {"ack_emulation": False}
        self._messenger = Publisher(app, QUEUE, BrokerStatus())
        self.crew = [uuid7() for _ in range(self.workers)]
        with self.database.begin() as connection:
            now = self.database.now(connection)
            for number, worker in enumerate(self.crew):
                workers.register(
                    connection, worker_id=worker, host="bench", pid=number, queue=QUEUE, slots=self.slots, now=now
                )
        self.dispatcher = Dispatcher(
            database=self.database,
            me=self.crew[0],
            scope=WorkerScope(QUEUE),
            limits=DispatchLimits("unlimited", dispatch_timeout=MESSAGES_TIMEOUT, probe_seconds=60.0, max_attempts=5),
            publish=self._publish,
            prober=Prober(lambda _: ProbeResult(None)),
        )

    def tick(self) -> tuple[list[Waiting], float]:
        """One tick: whom it started, and the seconds that it took."""
        self._published = []
        began = time.perf_counter()
        self.dispatcher.run_once()
        return self._published, time.perf_counter() - began

    def beat(self) -> None:
        """All workers are alive, and their messages taken."""
        with self.crew_database.at_once() as connection:
            now = self.database.now(connection)
            connection.execute(
                text("UPDATE workers SET heartbeat_at = :now WHERE stopped_at IS NULL").bindparams(
                    now=now.replace(tzinfo=None) if self.database.is_sqlite else now
                )
            )
        self.valkey.flush()

    def leave(self) -> None:
        """The dispatcher and all workers go, in good order."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            for worker in self.crew:
                workers.sign_off(connection, worker, now=now)
                workers.release_leases(connection, worker)
        self.crew_database.close()

    def claim(self, job: Waiting) -> tuple[Claim, float]:
        """A worker takes one job, as for a message that came alone: its claim, and the seconds that took."""
        began = time.perf_counter()
        with self.database.at_once() as connection:
            now = self.database.now(connection)
            claim = job_claims.claim(connection, job.job_id, job.attempt, worker_id=self.crew[0], now=now)
        seconds = time.perf_counter() - began
        assert claim is not None
        return claim, seconds

    def succeed(self, claims: Sequence[Claim]) -> None:
        """Their audio is there."""
        with self.database.begin() as connection:
            ended = [(claim, a_settlement(JobStatus.SUCCEEDED)) for claim in claims]
            settlement.settle_all_at_once(connection, ended, now=self.database.now(connection))

    def claim_all(self) -> None:
        """Whatever was sent is taken, by one worker or the other. PostgreSQL alone."""
        with self.crew_database.begin() as connection:
            connection.execute(_CLAIM, {"crew": self.crew})

    def end(self, jobs: int) -> None:
        """Mark up to `jobs` running jobs as succeeded. PostgreSQL only."""
        with self.crew_database.begin() as connection:
            connection.execute(_END, {"most": jobs})

    def _publish(self, jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        self._published = list(jobs)
        return self._messenger.jobs(jobs)


def broker_bytes(valkey: Valkey) -> int:
    """The broker's memory."""
    with closing(valkey.client()) as client:
        found: dict[str, int] = client.info("memory")
    return int(found["used_memory"])
