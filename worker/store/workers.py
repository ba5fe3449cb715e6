"""Worker processes, their heartbeats and leases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api_models.status import JobStatus
from worker.store.states import in_flight_as
from worker.store.tables.jobs import Job
from worker.store.tables.workers import Lease, Worker

DISPATCHER = "dispatcher"
"""The lease of the dispatcher that leads. A tick renews it first, and so keeps its row locked until the end."""

_RENEW = (
    update(Lease)
    .where(
        Lease.name == bindparam("lease"),
        or_(Lease.holder == bindparam("me"), Lease.expires_at <= bindparam("now")),
    )
    .values(holder=bindparam("me"), expires_at=bindparam("until"))
)


def hold(connection: Connection, name: str, holder: UUID, *, seconds: float, now: datetime) -> bool:
    """Take or renew the lease. True while `holder` has it; only an expired lease changes its holder."""
    until = now + timedelta(seconds=seconds)
    if connection.execute(_RENEW, {"lease": name, "me": holder, "now": now, "until": until}).rowcount:
        return True
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    added = connection.execute(
        dialect.insert(Lease)
        .values(name=name, holder=holder, expires_at=until)
        .on_conflict_do_nothing()
        .execution_options(preserve_rowcount=True)  # SQLAlchemy discards an INSERT's row count otherwise
    ).rowcount
    return added > 0


def holder(connection: Connection, name: str, *, now: datetime) -> UUID | None:
    return connection.execute(select(Lease.holder).where(Lease.name == name, Lease.expires_at > now)).scalar()


def await_tick(connection: Connection) -> None:
    """Wait until no dispatcher's tick is in progress; none begins before the end of this transaction."""
    connection.execute(select(Lease.holder).where(Lease.name == DISPATCHER).with_for_update())


@dataclass(frozen=True, slots=True)
class Member:
    id: UUID
    host: str
    pid: int
    queue: str
    slots: int
    heartbeat_at: datetime
    stopping: bool
    trouble: str | None


def register(
    connection: Connection, *, worker_id: UUID, host: str, pid: int, queue: str, slots: int, now: datetime
) -> None:
    connection.execute(
        insert(Worker).values(
            id=worker_id,
            host=host,
            pid=pid,
            queue=queue,
            slots=slots,
            started_at=now,
            heartbeat_at=now,
            stopping=False,
        )
    )


def beat(connection: Connection, worker_id: UUID, *, trouble: str | None, stopping: bool, now: datetime) -> bool:
    """Record a heartbeat. Returns False if the worker had been retired: it is registered again, even without jobs."""
    revived = connection.execute(
        update(Worker)
        .where(Worker.id == worker_id, Worker.stopped_at.is_(None))
        .values(heartbeat_at=now, trouble=trouble, stopping=stopping)
    ).rowcount
    if not revived:
        connection.execute(
            update(Worker)
            .where(Worker.id == worker_id)
            .values(heartbeat_at=now, trouble=trouble, stopping=stopping, stopped_at=None)
        )
    return bool(revived)


def sign_off(connection: Connection, worker_id: UUID, *, now: datetime) -> None:
    """Mark a worker as stopped, after it has ended cleanly, or its jobs were rescued.

    A worker that could not record its running jobs must not sign off: it will be missed, and its jobs rescued.
    """
    runs_something = exists().where(in_flight_as(JobStatus.RUNNING), Job.worker_id == worker_id)
    connection.execute(
        update(Worker).where(Worker.id == worker_id, ~runs_something).values(stopped_at=now, stopping=True)
    )


_PRESENT = select(
    Worker.id,
    Worker.host,
    Worker.pid,
    Worker.queue,
    Worker.slots,
    Worker.heartbeat_at,
    Worker.stopping,
    Worker.trouble,
).where(Worker.stopped_at.is_(None))


def present(connection: Connection) -> list[Member]:
    return [Member(*row) for row in connection.execute(_PRESENT)]


def heartbeat(connection: Connection, worker_id: UUID) -> datetime | None:
    return connection.execute(select(Worker.heartbeat_at).where(Worker.id == worker_id)).scalar()


def forget(connection: Connection, *, stopped_before: datetime) -> int:
    return connection.execute(delete(Worker).where(Worker.stopped_at < stopped_before)).rowcount


def release_leases(connection: Connection, worker_id: UUID) -> None:
    """Give up every lease that a worker holds, so that others need not wait until it expires."""
    connection.execute(delete(Lease).where(Lease.holder == worker_id))


def give_up(connection: Connection, worker_id: UUID, *, now: datetime) -> None:
    """Record that a worker is dead: its heartbeat counts as lapsed, and the next tick rescues its jobs."""
    connection.execute(
        update(Worker).where(Worker.id == worker_id).values(heartbeat_at=now - timedelta(days=1), stopping=True)
    )
