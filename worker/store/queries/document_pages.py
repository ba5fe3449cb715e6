"""One tenant's documents in pages, and the parts of one of them, without reading whole texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy import text as sql

from api_models.status import JobStatus
from worker.store.documents import CHOSEN
from worker.store.tables.jobs import DocumentRow, Job

EXCERPT_CHARACTERS: Final = 200
_COLUMNS: Final = (
    *(Job.id, Job.custom_id, Job.status, Job.parts, Job.cost, Job.duration_ms, Job.created_at, Job.purged_at),
    func.substr(Job.text, 1, EXCERPT_CHARACTERS),
)
# By way of the documents' own table: the tenant's other jobs are not passed over.
_PAGE: Final = (
    select(*_COLUMNS)
    .select_from(DocumentRow)
    .join(Job, Job.id == DocumentRow.job_id)
    .where(Job.tenant == bindparam("owner"))
    .order_by(DocumentRow.job_id.desc())
)


@dataclass(frozen=True, slots=True)
class DocumentEntry:
    id: UUID
    custom_id: str | None
    status: JobStatus
    parts: int
    cost: Decimal
    duration_ms: int | None
    created_at: datetime
    purged_at: datetime | None
    excerpt: str


@dataclass(frozen=True, slots=True)
class PartEntry:
    """The chosen job of a part."""

    id: UUID
    part: int
    status: JobStatus
    text: str
    cost: Decimal
    cached: bool
    code: str | None
    message: str | None
    sha256: str | None
    duration_ms: int | None
    purged_at: datetime | None


_PART: Final = tuple(getattr(Job, name) for name in PartEntry.__slots__)
_PARTS: Final = (
    select(*_PART)
    .where(sql("jobs.parent IS NOT NULL"), Job.parent == bindparam("document"), CHOSEN)
    .where(Job.part >= bindparam("first"))
    .order_by(Job.part)
)


def documents(connection: Connection, tenant: str, *, before: UUID | None, most: int) -> list[DocumentEntry]:
    """Return the tenant's documents, the newest first."""
    query = _PAGE if before is None else _PAGE.where(DocumentRow.job_id < before)
    return [DocumentEntry(*row) for row in connection.execute(query.limit(most), {"owner": tenant})]


def parts(connection: Connection, document: UUID, *, first: int, most: int) -> Sequence[PartEntry]:
    """Return parts in the order of the text, from a number on."""
    rows = connection.execute(_PARTS.limit(most), {"document": document, "first": first})
    return [PartEntry(*row) for row in rows]
