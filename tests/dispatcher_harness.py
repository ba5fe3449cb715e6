"""A database with workers and jobs, for dispatchers to work on a tick at a time."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from api_models.verdict import VerdictKind
from tests.factories import a_gate, add_attempt, add_batch, add_gate, add_job, add_worker, stored
from worker.dispatch.config import DispatchLimits, WorkerScope
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.gates.probes import Check, Prober, ProbeResult
from worker.store import account
from worker.store.account import Gate, PaceState
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.outbox.events import Event
from worker.store.tables.jobs import Batch
from worker.store.tables.workers import Lease, Worker
from worker.store.transitions.dispatches import Waiting

SECOND: Final = timedelta(seconds=1)
LIMITS: Final = DispatchLimits(rpm="unlimited", dispatch_timeout=20, probe_seconds=30, max_attempts=3)
SHARED: Final = WorkerScope(queue="ttsq")


@dataclass(slots=True)
class Post:
    """Publishes into a list, and can be limited to a number of messages per batch."""

    sent: list[Waiting] = field(default_factory=list)
    most: int = 10_000

    def __call__(self, jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        self.sent += jobs[: self.most]
        return jobs[self.most :]

    def collect(self) -> list[UUID]:
        """What was published since the last call, in order."""
        jobs, self.sent = sorted(job.job_id for job in self.sent), []
        return jobs


@dataclass(slots=True)
class Look:
    """A free check whose result a test sets; it notes what it was asked for."""

    trouble: str | None = None
    balance: Decimal | None = None
    asked: list[str] = field(default_factory=list)

    def __call__(self, gate: Gate) -> ProbeResult:
        self.asked.append(gate.name)
        return ProbeResult(self.trouble, self.balance)


def await_checks() -> None:
    """Let every check that was begun come to its end."""
    for thread in threading.enumerate():
        if thread.name.startswith("ttsq-probe-"):
            thread.join()


@dataclass(slots=True)
class Stage:
    """A database with workers and jobs, and as many dispatchers as a test wants."""

    database: Database
    post: Post = field(default_factory=Post)
    look: Look = field(default_factory=Look)

    def dispatcher(
        self,
        *,
        reach: WorkerScope = SHARED,
        me: UUID | None = None,
        look: Check | None = None,
        **limits: Any,  # noqa: ANN401 - any limit
    ) -> Dispatcher:
        """One more dispatcher."""
        values = {name: getattr(LIMITS, name) for name in DispatchLimits.__slots__} | limits
        prober = Prober(look or self.look)
        return Dispatcher(
            self.database, me or uuid7(), reach, DispatchLimits(**values), self.post, prober, random.Random(1)
        )

    def now(self) -> datetime:
        """The database's time."""
        with self.database.read() as connection:
            return self.database.now(connection)

    def worker(self, **columns: Any) -> UUID:  # noqa: ANN401 - any column
        """A worker with a fresh heartbeat."""
        with self.database.begin() as connection:
            return add_worker(connection, **({"heartbeat_at": self.database.now(connection)} | columns))

    def beat(self) -> None:
        """Renew every worker's heartbeat: a long test on a busy machine must not lose them."""
        with self.database.begin() as connection:
            connection.execute(update(Worker).values(heartbeat_at=self.database.now(connection)))

    def job(self, **columns: Any) -> UUID:  # noqa: ANN401 - any column
        """A job."""
        with self.database.begin() as connection:
            return add_job(connection, **columns)

    def jobs(self, count: int, **columns: Any) -> list[UUID]:  # noqa: ANN401 - any column
        """Several jobs."""
        with self.database.begin() as connection:
            return [add_job(connection, **columns) for _ in range(count)]

    def row(self, job: UUID) -> Any:  # noqa: ANN401 - a row
        with self.database.read() as connection:
            return stored(connection, job)

    def status(self, *jobs: UUID) -> list[str]:
        """Where jobs stand."""
        return [self.row(job).status for job in jobs]

    def batch(self, **columns: Any) -> UUID:  # noqa: ANN401 - any column
        """A batch without jobs."""
        with self.database.begin() as connection:
            return add_batch(connection, **columns)

    def close(self, **fields: Any) -> Gate:  # noqa: ANN401 - any field
        """A gate that closed a minute ago, its probe not due for another."""
        now = self.now()
        gate = a_gate(**({"since": now - 60 * SECOND, "next_probe_at": now + 60 * SECOND} | fields))
        with self.database.begin() as connection:
            return add_gate(connection, gate)

    def spent(self, batch: UUID) -> Decimal:
        """A batch's counter."""
        with self.database.read() as connection:
            return connection.execute(select(Batch.spent).where(Batch.id == batch)).scalar_one()

    def gates(self) -> dict[str, Gate]:
        """What is closed now."""
        with self.database.read() as connection:
            return {gate.name: gate for gate in account.closed_gates(connection)}

    def ended(self, verdict: VerdictKind, **columns: Any) -> None:  # noqa: ANN401 - any column
        """An attempt that has just ended this way."""
        now = self.now()
        known: dict[str, Any] = {"started_at": now - SECOND, "finished_at": now}
        if verdict not in {VerdictKind.SUCCESS, VerdictKind.BAD_TAKE}:
            known |= {"cost": Decimal(0)}  # the API bills audio only
        with self.database.begin() as connection:
            add_attempt(connection, verdict=verdict, **(known | columns))

    def pace(self) -> PaceState:
        """The pace as it is kept."""
        with self.database.read() as connection:
            return account.load_pace(connection)

    def slots(self, count: int) -> None:
        """Set the slots of every worker."""
        with self.database.begin() as connection:
            connection.execute(update(Worker).values(slots=count))

    def lapse(self) -> None:
        """Let the leader's lease run out."""
        with self.database.begin() as connection:
            connection.execute(update(Lease).values(expires_at=self.database.now(connection) - SECOND))

    def events(self, *types: str) -> list[Event]:
        """What happened, in order."""
        with self.database.read() as connection:
            return events.after(connection, 0, most=1_000, types=types)
