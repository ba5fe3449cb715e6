"""A batch that its own transaction is still writing: nobody else can see it, so that its row may be changed at will."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, delete, update

from worker.store.tables import Batch, Job


def count(connection: Connection, batch_id: UUID, total: int) -> None:
    """Say how many jobs were written, once that is known."""
    connection.execute(update(Batch).where(Batch.id == batch_id).values(total=total))


def unwrite(connection: Connection, batch_id: UUID) -> None:
    """Take it back with all its jobs, in a transaction that goes on."""
    connection.execute(delete(Job).where(Job.batch_id == batch_id))
    connection.execute(delete(Batch).where(Batch.id == batch_id))
