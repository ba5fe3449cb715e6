"""Calls in flight and waiting jobs, by their possible cost: the input of budget checks. Read-only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Connection,
    Executable,
    String,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from api_models.status import JobStatus
from worker.store.money import ceilings
from worker.store.money.ceilings import Ceilings, text_bytes
from worker.store.states import IS_DOCUMENT, in_state
from worker.store.tables.base import NO_LANE
from worker.store.tables.jobs import Job


@dataclass(frozen=True, slots=True)
class Flight:
    """A job that is dispatched or running, or whose submitted request (v2) has yet to be fetched."""

    tenant: str
    batch_id: UUID | None
    model: str
    text_bytes: int
    key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """The budget that a waiting job would need."""

    text_bytes: int
    submitted: bool
    """An earlier attempt made the call (v2), which is paid for whether or not the job is held."""
    key_id: UUID | None = None
    copies: bool = False
    """Its content was bought before: a copy costs nothing, and neither does joining the parts of a document."""


_FLYING = in_state(JobStatus.DISPATCHED, JobStatus.RUNNING)
_SUBMITTED = Job.request_id.is_not(None) & in_state(JobStatus.SCHEDULED, JobStatus.QUEUED)


@cache
def _in_flight(dialect: str) -> Executable:
    batches: BindParameter[UUID] = bindparam("batches", expanding=True)
    tenants: BindParameter[str] = bindparam("tenants", expanding=True)
    theirs = or_(Job.batch_id.in_(batches), Job.tenant.in_(tenants))
    # No index on batches or tenants fits: each would return every job that they ever had.
    also_theirs = or_(func.coalesce(Job.batch_id, NO_LANE).in_(batches), func.coalesce(Job.tenant, "").in_(tenants))
    flight = select(Job.tenant, Job.batch_id, Job.model, text_bytes(dialect), Job.key_id)
    # Two statements in one, each with the predicate of a partial index: no index serves an OR of both.
    return union_all(flight.where(_FLYING, ~IS_DOCUMENT, theirs), flight.where(_SUBMITTED, also_theirs))


_BOUGHT = aliased(Job, name="bought")


@cache
def _loads(dialect: str) -> Executable:
    its = Job.id.in_(bindparam("jobs", expanding=True))
    bought = exists().where(
        _BOUGHT.fingerprint == Job.fingerprint,
        _BOUGHT.status == literal_column(f"'{JobStatus.SUCCEEDED.value}'", String),
        _BOUGHT.purged_at.is_(None),
    )
    copies = or_(IS_DOCUMENT, Job.use_cache & bought.correlate(Job))
    return select(Job.id, text_bytes(dialect), Job.request_id.is_not(None), Job.key_id, copies).where(its)


_UNDER_WAY = (
    select(Job.id).where(_FLYING, Job.model == bindparam("its_model"), Job.dispatched_at >= bindparam("since")).limit(1)
)


def in_flight(connection: Connection, batches: Collection[UUID], tenants: Collection[str]) -> list[Flight]:
    """Return these batches' and tenants' jobs in flight, and their submitted requests that are not being polled."""
    which = {"batches": list(batches), "tenants": list(tenants)}
    return [Flight(*row) for row in connection.execute(_in_flight(connection.dialect.name), which)]


_BULK = select(func.count()).select_from(Job).where(_FLYING, Job.priority <= 0)


def bulk(connection: Connection) -> int:
    return connection.execute(_BULK).scalar_one()


def reserved(known: Ceilings, flying: Iterable[Flight]) -> Decimal:
    return sum((ceilings.at_most(known, flight.model, flight.text_bytes) for flight in flying), Decimal(0))


def loads(connection: Connection, jobs: Sequence[UUID]) -> dict[UUID, Load]:
    rows = connection.execute(_loads(connection.dialect.name), {"jobs": list(jobs)})
    return {job: Load(size, *rest) for job, size, *rest in rows}


def is_under_way(connection: Connection, model: str, *, since: datetime) -> bool:
    """Whether a job of this model, dispatched at `since` or later, is dispatched or running."""
    return connection.execute(_UNDER_WAY, {"its_model": model, "since": since}).first() is not None
