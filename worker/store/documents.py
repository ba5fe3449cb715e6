"""Documents and their parts as rows. Reads, and the inserts of new ones; `transitions.documents` changes states."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, exists, func, insert, literal, select, update
from sqlalchemy import text as sql
from sqlalchemy.orm import aliased
from uuid_utils.compat import uuid7

from api_models.status import TERMINAL, JobStatus
from worker.store import locks
from worker.store.states import in_state
from worker.store.tables.jobs import Batch, DocumentRow, Job

FAR: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""`not_before` of a document that waits for its parts: no dispatcher starts it."""
_SOON: Final = datetime(8000, 1, 1, tzinfo=UTC)
"""Later than any real time, and earlier than `FAR` after steps of the clock."""
# Literally the predicates of the partial indexes: see `states`.
_IS_PART: Final = sql("jobs.parent IS NOT NULL")
_IS_DOCUMENT: Final = sql("jobs.parts IS NOT NULL")
TAKE_MISSING: Final = "take_missing"
"""The code of a document some of whose takes are gone from the store: its detail names their jobs."""
_REQUESTED: Final = (
    *(Job.tenant, Job.batch_id, Job.lane, Job.priority, Job.model, Job.text, Job.voice_1, Job.voice_2),
    *(Job.temperature, Job.fingerprint, Job.use_cache, Job.created_at, Job.key_id, Job.traceparent),
    *(Job.parent, Job.part, Job.chosen, Job.timings),
)
"""What a part that is bought again shares with the job that it replaces."""
_UNSTARTED: Final[dict[str, Any]] = {
    "status": JobStatus.QUEUED,
    "attempt": 0,
    "attempts_used": 0,
    "takes_used": 0,
    "recover": False,
    "cached": False,
    "cost": 0,
}
AWAITS_PARTS: Final[ColumnElement[bool]] = and_(_IS_DOCUMENT, in_state(JobStatus.SCHEDULED), Job.not_before > _SOON)
"""Whether a document waits for its parts, and not for a repeated attempt to join them."""
CHOSEN: Final[ColumnElement[bool]] = Job.chosen.is_(True)


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    job_id: UUID
    plan: str
    style: str
    sidecars: str | None = None


@dataclass(frozen=True, slots=True)
class PartCounts:
    """The chosen jobs of a document's parts by state."""

    by_status: dict[JobStatus, int] = field(default_factory=dict)

    def of(self, *states: JobStatus) -> int:
        return sum(self.by_status.get(state, 0) for state in states)

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    @property
    def unfinished(self) -> int:
        return self.total - self.of(*TERMINAL)

    @property
    def started(self) -> bool:
        return self.of(JobStatus.SCHEDULED, JobStatus.QUEUED) < self.total


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A document that waits for its parts."""

    id: UUID
    started_at: datetime | None
    deadline: datetime | None
    parts: int | None


@dataclass(frozen=True, slots=True)
class PartRecord:
    """One job of a part: its take, or what became of it."""

    id: UUID
    part: int
    chosen: bool
    status: JobStatus
    text: str
    cost: Decimal
    code: str | None
    message: str | None
    uri: str | None
    sha256: str | None
    duration_ms: int | None
    purged_at: datetime | None
    timings: str | None = None


_PART: Final = tuple(getattr(Job, name) for name in PartRecord.__slots__)
_DOCUMENT: Final = tuple(getattr(DocumentRow, name) for name in DocumentRecord.__slots__)
_COUNTS: Final = (
    select(Job.parent, Job.status, func.count())
    .where(_IS_PART, Job.parent.in_(bindparam("documents", expanding=True)), CHOSEN)
    .group_by(Job.parent, Job.status)
)
_PARTS: Final = select(*_PART).where(_IS_PART, Job.parent == bindparam("document")).order_by(Job.part, Job.id)


def is_far(not_before: datetime) -> bool:
    """Whether it is no real time: its document waits for parts."""
    return not_before > _SOON


def add(connection: Connection, records: Sequence[DocumentRecord]) -> None:
    rows = [{"job_id": one.job_id, "plan": one.plan, "style": one.style} for one in records]
    connection.execute(insert(DocumentRow), rows)


def by_id(connection: Connection, job_id: UUID) -> DocumentRecord | None:
    row = connection.execute(select(*_DOCUMENT).where(DocumentRow.job_id == job_id)).one_or_none()
    return None if row is None else DocumentRecord(*row)


def latest(connection: Connection, tenant: str, custom_id: str, output_url: str | None) -> tuple[str, str] | None:
    """Return text and plan of the tenant's latest document of this name in this place."""
    query = (
        select(Job.text, DocumentRow.plan)
        .join(DocumentRow, DocumentRow.job_id == Job.id)
        .outerjoin(Batch, Batch.id == Job.batch_id)
        .where(_IS_DOCUMENT, Job.tenant == tenant, Job.custom_id == custom_id, Job.purged_at.is_(None))
        .where(Batch.output_url.is_not_distinct_from(output_url))
        .order_by(Job.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row[0], row[1])


def keep_sidecars(connection: Connection, job_id: UUID, sidecars: str) -> None:
    connection.execute(update(DocumentRow).where(DocumentRow.job_id == job_id).values(sidecars=sidecars))


def pending() -> ColumnElement[bool]:
    return exists().where(AWAITS_PARTS)


def waiting(connection: Connection) -> list[OpenDocument]:
    query = select(*(getattr(Job, name) for name in OpenDocument.__slots__))
    return [OpenDocument(*row) for row in connection.execute(query.where(AWAITS_PARTS).order_by(Job.id))]


def counts(connection: Connection, documents: Collection[UUID]) -> dict[UUID, PartCounts]:
    found = {document: PartCounts() for document in documents}
    rows: Sequence[Any] = connection.execute(_COUNTS, {"documents": list(documents)}).all()
    for document, status, number in rows:
        found[document].by_status[JobStatus(status)] = number
    return found


def parts(connection: Connection, document: UUID) -> list[PartRecord]:
    """Return all jobs of the parts, in the order of the text; of one part, the oldest first."""
    return [_record(row) for row in connection.execute(_PARTS, {"document": document})]


def chosen(connection: Connection, document: UUID) -> list[PartRecord]:
    return [one for one in parts(connection, document) if one.chosen]


def _record(row: Row[Any]) -> PartRecord:
    values = dict(zip(PartRecord.__slots__, row, strict=True))
    return PartRecord(**values | {"status": JobStatus(values["status"]), "chosen": bool(values["chosen"])})


def gone_takes(connection: Connection, which: ColumnElement[bool]) -> list[UUID]:
    """Return the parts' jobs whose takes were found to be gone when the selected documents were joined."""
    missing = select(Job.detail).where(_IS_DOCUMENT, which, Job.code == TAKE_MISSING)
    return [UUID(name) for detail in connection.execute(missing).scalars() for name in (detail or "").split()]


def buy_again(connection: Connection, jobs: Sequence[UUID]) -> list[UUID]:
    """Replace parts' jobs by new ones, which the recording uses instead. Returns their ids. The old ones remain."""
    made: list[UUID] = []
    query = select(Job.id, *_REQUESTED).where(Job.id.in_(jobs), CHOSEN).order_by(Job.id)
    for job_id, *requested in connection.execute(query).all():
        fresh = {column.key: value for column, value in zip(_REQUESTED, requested, strict=True)}
        made.append(uuid7())
        connection.execute(update(Job).where(Job.id == job_id).values(chosen=False))
        connection.execute(insert(Job).values(id=made[-1], **fresh, **_UNSTARTED))
    return made


def add_up(connection: Connection, which: ColumnElement[bool]) -> None:
    """Set the cost of the selected documents to what their parts have cost, earlier takes included."""
    taken = aliased(Job, name="taken")
    cost = func.coalesce(func.sum(taken.cost, type_=Job.cost.type), literal(0, Job.cost.type))
    of_parts = select(cost).where(taken.parent == Job.id).correlate(Job).scalar_subquery()
    changed = and_(_IS_DOCUMENT, which, Job.cost != of_parts)
    connection.execute(update(Job).where(locks.in_order(connection.dialect.name, changed)).values(cost=of_parts))


def date_parts(connection: Connection, jobs: Sequence[UUID]) -> None:
    """Let the parts of documents among these jobs go when the document goes. Parts have no retention of their own."""
    if has_documents(connection, Job.id.in_(jobs)):
        document = aliased(Job, name="document")
        at = select(document.purge_at).where(document.id == Job.parent).correlate(Job).scalar_subquery()
        finished = in_state(*sorted(TERMINAL))
        connection.execute(update(Job).where(_IS_PART, Job.parent.in_(jobs), finished).values(purge_at=at))


def forget_plans(connection: Connection, jobs: Sequence[UUID]) -> None:
    """Remove titles, which are text as well."""
    connection.execute(update(DocumentRow).where(DocumentRow.job_id.in_(jobs)).values(plan="", sidecars=None))


def of_documents(which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Select the parts of the selected documents."""
    return Job.parent.in_(select(Job.id).where(_IS_DOCUMENT, which).correlate(None))


def has_documents(connection: Connection, which: ColumnElement[bool]) -> bool:
    return connection.execute(select(Job.id).where(_IS_DOCUMENT, which).limit(1)).first() is not None
