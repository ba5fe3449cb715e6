"""Rows of uploaded files and of the batches made from them. Every query is one tenant's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update

from worker.store.tables.openai import OpenAIBatch, OpenAIFile


@dataclass(frozen=True, slots=True)
class FileRecord:
    id: UUID
    tenant: str
    name: str
    size: int
    sha256: str
    uri: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class BatchRequest:
    id: UUID
    tenant: str
    file_id: UUID
    completion_window: str
    labels: str | None
    errors: str | None
    created_at: datetime
    expires_at: datetime
    cancelling_at: datetime | None = None


_FILE = tuple(getattr(OpenAIFile, name) for name in FileRecord.__slots__)
_BATCH = tuple(getattr(OpenAIBatch, name) for name in BatchRequest.__slots__)


def add_file(connection: Connection, record: FileRecord) -> None:
    connection.execute(insert(OpenAIFile).values({name: getattr(record, name) for name in FileRecord.__slots__}))


def file(connection: Connection, tenant: str, file_id: UUID) -> FileRecord | None:
    found = connection.execute(select(*_FILE).where(OpenAIFile.id == file_id, OpenAIFile.tenant == tenant))
    row = found.one_or_none()
    return None if row is None else FileRecord(*row)


def files(connection: Connection, tenant: str, *, before: UUID | None, most: int) -> list[FileRecord]:
    query = select(*_FILE).where(OpenAIFile.tenant == tenant)
    if before is not None:
        query = query.where(OpenAIFile.id < before)
    return [FileRecord(*row) for row in connection.execute(query.order_by(OpenAIFile.id.desc()).limit(most))]


def forget_file(connection: Connection, tenant: str, file_id: UUID) -> None:
    connection.execute(delete(OpenAIFile).where(OpenAIFile.id == file_id, OpenAIFile.tenant == tenant))


def add_batch(connection: Connection, record: BatchRequest) -> None:
    connection.execute(insert(OpenAIBatch).values({name: getattr(record, name) for name in BatchRequest.__slots__}))


def batch(connection: Connection, tenant: str, batch_id: UUID) -> BatchRequest | None:
    found = connection.execute(select(*_BATCH).where(OpenAIBatch.id == batch_id, OpenAIBatch.tenant == tenant))
    row = found.one_or_none()
    return None if row is None else BatchRequest(*row)


def batches(connection: Connection, tenant: str, *, before: UUID | None, most: int) -> list[BatchRequest]:
    query = select(*_BATCH).where(OpenAIBatch.tenant == tenant)
    if before is not None:
        query = query.where(OpenAIBatch.id < before)
    return [BatchRequest(*row) for row in connection.execute(query.order_by(OpenAIBatch.id.desc()).limit(most))]


def note_cancelling(connection: Connection, batch_id: UUID, *, now: datetime) -> None:
    waiting = update(OpenAIBatch).where(OpenAIBatch.id == batch_id, OpenAIBatch.cancelling_at.is_(None))
    connection.execute(waiting.values(cancelling_at=now))
