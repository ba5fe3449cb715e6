"""Batches: jobs that were submitted together. The same command finds its batch again by the resume key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, select, update

from worker.store import lane_takes, upserts, workers
from worker.store.tables.jobs import Batch, Job
from worker.store.transitions import dispatches


def count(connection: Connection, batch_id: UUID, total: int) -> None:
    connection.execute(update(Batch).where(Batch.id == batch_id).values(total=total))


def grow(connection: Connection, batch_id: UUID, by: int) -> None:
    connection.execute(update(Batch).where(Batch.id == batch_id).values(total=Batch.total + by))


def names_in_use(connection: Connection, batch_id: UUID, names: Collection[str]) -> set[str]:
    """Return those of the names that jobs of the batch have."""
    query = select(Job.custom_id).where(Job.batch_id == batch_id, Job.custom_id.in_(names))
    return {name for name in connection.execute(query).scalars() if name is not None}


def withdraw(connection: Connection, batch_id: UUID) -> None:
    """Delete a batch and its jobs, in a transaction that continues."""
    connection.execute(delete(Job).where(Job.batch_id == batch_id))
    connection.execute(delete(Batch).where(Batch.id == batch_id))


@dataclass(frozen=True, slots=True)
class BatchRecord:
    id: UUID
    tenant: str
    name: str
    output_url: str | None
    total: int
    created_at: datetime
    paused_at: datetime | None = None
    finished_at: datetime | None = None
    results_uri: str | None = None


_COLUMNS = tuple(getattr(Batch, name) for name in BatchRecord.__slots__)


def add(connection: Connection, batch: BatchRecord, *, resume_key: str | None) -> bool:
    """Insert a batch; its jobs follow in the same transaction. Returns False if the same command has created one."""
    return (
        connection.execute(
            upserts.insert(connection.dialect.name, Batch)
            .values(
                id=batch.id,
                tenant=batch.tenant,
                name=batch.name,
                output_url=batch.output_url,
                total=batch.total,
                created_at=batch.created_at,
                resume_key=resume_key,
            )
            .on_conflict_do_nothing(index_elements=["tenant", "resume_key"])
            .execution_options(preserve_rowcount=True)  # SQLAlchemy discards an INSERT's row count otherwise
        ).rowcount
        > 0
    )


def by_id(connection: Connection, batch_id: UUID) -> BatchRecord | None:
    row = connection.execute(select(*_COLUMNS).where(Batch.id == batch_id)).one_or_none()
    return None if row is None else BatchRecord(*row)


def by_resume_key(connection: Connection, tenant: str, resume_key: str) -> BatchRecord | None:
    row = connection.execute(
        select(*_COLUMNS).where(Batch.tenant == tenant, Batch.resume_key == resume_key)
    ).one_or_none()
    return None if row is None else BatchRecord(*row)


def forget_resume_key(connection: Connection, batch_id: UUID) -> None:
    connection.execute(update(Batch).where(Batch.id == batch_id).values(resume_key=None))


def latest(connection: Connection, *, most: int) -> Sequence[BatchRecord]:
    rows = connection.execute(select(*_COLUMNS).order_by(Batch.created_at.desc()).limit(most))
    return [BatchRecord(*row) for row in rows]


def announce(connection: Connection, batch_id: UUID, *, callback_url: str | None) -> None:
    connection.execute(update(Batch).where(Batch.id == batch_id).values(callback_url=callback_url, notify=True))


def pause(connection: Connection, batch_id: UUID, *, now: datetime) -> bool:
    """Start no more of its jobs; running ones continue. Returns False if unknown or already paused.

    Call it in its own transaction. It waits for the current tick, and the next tick waits for this transaction:
    unclaimed jobs that the tick dispatched are recalled, and none is dispatched unnoticed.
    """
    workers.await_tick(connection)
    paused = update(Batch).where(Batch.id == batch_id, Batch.paused_at.is_(None)).values(paused_at=now)
    if not connection.execute(paused).rowcount:
        return False
    dispatches.recall_batch(connection, batch_id)
    return True


def resume(connection: Connection, batch_id: UUID, *, now: datetime) -> bool:
    """Let the batch's jobs start again after a pause or a hold by refused takes. Returns False if there was neither."""
    released = lane_takes.resume(connection, lane_takes.of_batch(batch_id), now=now)
    resumed = update(Batch).where(Batch.id == batch_id, Batch.paused_at.is_not(None)).values(paused_at=None)
    return connection.execute(resumed).rowcount + released > 0


@dataclass(frozen=True, slots=True)
class Paused:
    id: UUID
    tenant: str
    name: str
    since: datetime


_PAUSED = (
    select(Batch.id, Batch.tenant, Batch.name, Batch.paused_at)
    .where(Batch.finished_at.is_(None), Batch.paused_at.is_not(None))
    .order_by(Batch.paused_at)
    .limit(bindparam("most"))
)


def paused(connection: Connection, *, most: int) -> list[Paused]:
    rows = connection.execute(_PAUSED, {"most": most})
    return [Paused(row.id, row.tenant, row.name, since) for row in rows if (since := row.paused_at) is not None]
