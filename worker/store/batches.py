"""Batches: jobs that were handed in together, found again by the same command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.store.tables import Batch


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One batch, without its jobs."""

    id: UUID
    tenant: str
    name: str
    output_url: str | None
    total: int
    created_at: datetime


_COLUMNS = (Batch.id, Batch.tenant, Batch.name, Batch.output_url, Batch.total, Batch.created_at)


def add(connection: Connection, batch: BatchRecord, *, resume_key: str | None) -> bool:
    """Write a new batch, whose jobs follow in the same transaction. False where the same command has just made one."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return (
        connection.execute(
            dialect.insert(Batch)
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
            .execution_options(preserve_rowcount=True)  # an INSERT's count is thrown away otherwise
        ).rowcount
        > 0
    )


def by_id(connection: Connection, batch_id: UUID) -> BatchRecord | None:
    """The batch with this id."""
    row = connection.execute(select(*_COLUMNS).where(Batch.id == batch_id)).one_or_none()
    return None if row is None else BatchRecord(*row)


def by_resume_key(connection: Connection, tenant: str, resume_key: str) -> BatchRecord | None:
    """The batch that the same command made before."""
    row = connection.execute(
        select(*_COLUMNS).where(Batch.tenant == tenant, Batch.resume_key == resume_key)
    ).one_or_none()
    return None if row is None else BatchRecord(*row)


def forget_resume_key(connection: Connection, batch_id: UUID) -> None:
    """Let a fresh batch take this one's place when the same command is given again."""
    connection.execute(update(Batch).where(Batch.id == batch_id).values(resume_key=None))


def latest(connection: Connection, *, most: int) -> Sequence[BatchRecord]:
    """The newest batches, newest first."""
    rows = connection.execute(select(*_COLUMNS).order_by(Batch.created_at.desc()).limit(most))
    return [BatchRecord(*row) for row in rows]


def announce(connection: Connection, batch_id: UUID, *, callback_url: str | None) -> None:
    """Its end is to be written down as an event, and to be told to this address."""
    connection.execute(update(Batch).where(Batch.id == batch_id).values(callback_url=callback_url, notify=True))
