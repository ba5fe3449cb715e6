"""Worker processes, their heartbeats and leases."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, or_, select, update

from api_models.status import JobStatus
from worker.store import totals, upserts
from worker.store.states import in_flight_as
from worker.store.tables.jobs import Job
from worker.store.tables.workers import Lease, Worker
from worker.store.totals import Key, Name

DISPATCHER = "dispatcher"
"""The lease of the dispatcher that leads. A tick renews it first, and so keeps its row locked until the end."""

FARTHEST: Final = 2.0
"""A lease that expires later than this many terms from now was written before the clock stepped back. It is free."""

_MAY_HOLD = (
    Lease.name == bindparam("lease"),
    or_(
        Lease.holder == bindparam("me"),
        Lease.expires_at <= bindparam("now"),
        Lease.expires_at > bindparam("farthest"),
    ),
)
_RENEW = update(Lease).where(*_MAY_HOLD).values(holder=bindparam("me"), expires_at=bindparam("until"))
_TAKEN = select(Lease.name).where(Lease.name == bindparam("lease"), ~and_(*_MAY_HOLD))


def hold(connection: Connection, name: str, holder: UUID, *, seconds: float, now: datetime) -> bool:
    """Take or renew the lease. True while `holder` has it; only an expired lease changes its holder.

    `now` must be read after the last wait for a lock, or the lease may be expired when it is written: see `lock_lease`.
    """
    until = now + timedelta(seconds=seconds)
    if connection.execute(_RENEW, {**_lease(name, holder, seconds, now), "until": until}).rowcount:
        return True
    added = connection.execute(
        upserts.insert(connection.dialect.name, Lease)
        .values(name=name, holder=holder, expires_at=until)
        .on_conflict_do_nothing()
        .execution_options(preserve_rowcount=True)  # SQLAlchemy discards an INSERT's row count otherwise
    ).rowcount
    return added > 0


def is_taken(connection: Connection, name: str, holder: UUID, *, seconds: float, now: datetime) -> bool:
    """Whether another process has the lease. Waits for no lock."""
    return connection.execute(_TAKEN, _lease(name, holder, seconds, now)).first() is not None


def lock_lease(connection: Connection, name: str, *, wait: bool) -> bool:
    """Lock the lease's row until the end of the transaction. False if it is locked and `wait` is not set."""
    rows = select(Lease.name).where(Lease.name == name)
    locked = connection.execute(rows.with_for_update(skip_locked=not wait)).first()
    return locked is not None or connection.execute(rows).first() is None


def _lease(name: str, holder: UUID, seconds: float, now: datetime) -> dict[str, object]:
    return {"lease": name, "me": holder, "now": now, "farthest": now + timedelta(seconds=FARTHEST * seconds)}


def holder(connection: Connection, name: str, *, now: datetime) -> UUID | None:
    return connection.execute(select(Lease.holder).where(Lease.name == name, Lease.expires_at > now)).scalar()


def await_tick(connection: Connection) -> None:
    """Wait until no dispatcher's tick is in progress; none begins before the end of this transaction."""
    connection.execute(select(Lease.holder).where(Lease.name == DISPATCHER).with_for_update())


@dataclass(frozen=True, slots=True)
class Identity:
    """What must be alike in all workers; None where a worker does not record it."""

    version: str | None = None
    key_fingerprint: str | None = None
    settings: str | None = None
    """Digests by setting, as a JSON object."""


@dataclass(frozen=True, slots=True)
class Member:
    id: UUID
    host: str
    pid: int
    queue: str
    slots: int
    heartbeat_at: datetime
    stopping: bool
    problem: str | None
    started_at: datetime
    identity: Identity


def register(
    connection: Connection,
    *,
    worker_id: UUID,
    host: str,
    pid: int,
    queue: str,
    slots: int,
    now: datetime,
    identity: Identity | None = None,
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
            **({} if identity is None else asdict(identity)),
        )
    )


def beat(
    connection: Connection,
    worker_id: UUID,
    *,
    problem: str | None,
    stopping: bool,
    now: datetime,
    dropped_messages: int = 0,
) -> bool:
    """Record a heartbeat. Returns False if the worker had been retired: it is registered again, even without jobs."""
    row = update(Worker).where(Worker.id == worker_id)
    row = row.values(heartbeat_at=now, trouble=problem, stopping=stopping, dropped_messages=dropped_messages)
    revived = connection.execute(row.where(Worker.stopped_at.is_(None))).rowcount
    if not revived:
        connection.execute(row.values(stopped_at=None))
    return bool(revived)


def beat_now(
    connection: Connection, worker_id: UUID, *, problem: str | None, stopping: bool, dropped_messages: int
) -> datetime | None:
    """Record a heartbeat by one statement. Returns the database's time; None if the worker had been retired."""
    now = func.clock_timestamp() if connection.dialect.name == "postgresql" else datetime.now(UTC)
    row = update(Worker).where(Worker.id == worker_id, Worker.stopped_at.is_(None))
    row = row.values(heartbeat_at=now, trouble=problem, stopping=stopping, dropped_messages=dropped_messages)
    return connection.execute(row.returning(Worker.heartbeat_at)).scalar_one_or_none()


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
    Worker.started_at,
    Worker.version,
    Worker.key_fingerprint,
    Worker.settings,
).where(Worker.stopped_at.is_(None))


def present(connection: Connection) -> list[Member]:
    return [_member(tuple(row)) for row in connection.execute(_PRESENT)]


def _member(row: tuple[Any, ...]) -> Member:
    *columns, version, key_fingerprint, settings = row
    return Member(*columns, Identity(version, key_fingerprint, settings))  # type: ignore[call-arg]  # as many as _PRESENT has


def heartbeat(connection: Connection, worker_id: UUID) -> datetime | None:
    return connection.execute(select(Worker.heartbeat_at).where(Worker.id == worker_id)).scalar()


def forget(connection: Connection, *, stopped_before: datetime) -> int:
    """Delete the rows of workers that stopped before this time; the messages that they dropped still count."""
    removing = delete(Worker).where(Worker.stopped_at < stopped_before).returning(Worker.dropped_messages)
    dropped = connection.execute(removing).scalars().all()
    totals.add_apart(connection, {Key(Name.DROPPED): sum(dropped)})
    return len(dropped)


def release_leases(connection: Connection, worker_id: UUID) -> None:
    """Give up every lease that a worker holds, so that others need not wait until it expires."""
    connection.execute(delete(Lease).where(Lease.holder == worker_id))


def give_up(connection: Connection, worker_id: UUID, *, now: datetime) -> None:
    """Record that a worker is dead: its heartbeat counts as lapsed, and the next tick rescues its jobs."""
    connection.execute(
        update(Worker).where(Worker.id == worker_id).values(heartbeat_at=now - timedelta(days=1), stopping=True)
    )
