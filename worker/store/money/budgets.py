"""Budgets of batches, API keys and tenants' months: setting them, and how much of them is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select, update

from api_models.status import JobStatus
from worker.store import upserts
from worker.store.money import ceilings, charges, in_flight, limits
from worker.store.money.ceilings import Ceilings
from worker.store.money.limits import Limit, Payer
from worker.store.states import in_state, unfinished_of_key
from worker.store.tables.access import ApiKey
from worker.store.tables.account import Tenant
from worker.store.tables.jobs import Batch, Job


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit and its use at one moment. All amounts are US dollars."""

    tenant: str
    batch_id: UUID | None
    month: str | None
    name: str
    """Name of the batch or the key; for a month, the tenant's."""
    limit: Decimal
    spent: Decimal
    reserved: Decimal
    """Maximum cost of the calls in flight."""
    wanted: Decimal | None
    """Maximum cost of the first call that is waiting for the budget; None if none is."""
    unclear: Decimal = Decimal(0)
    """List price of calls that may have been billed but have no clear response."""
    key_id: UUID | None = None

    @property
    def payer(self) -> Payer:
        return self.batch_id or self.key_id or self.tenant

    @property
    def used(self) -> Decimal:
        return self.spent + self.unclear

    @property
    def holds(self) -> bool:
        return self.wanted is not None and self.used + self.reserved + self.wanted > self.limit


def limit_batch(connection: Connection, batch_id: UUID, max_cost: Decimal | None) -> bool:
    """Limit the total cost of a batch's calls; None removes the limit. Returns False for an unknown batch.

    Call it at the end of a transaction: it locks the batch's row, for which the dispatcher waits.
    """
    return connection.execute(update(Batch).where(Batch.id == batch_id).values(max_cost=max_cost)).rowcount > 0


def left(connection: Connection, batch_id: UUID) -> Decimal | None:
    row = connection.execute(select(Batch.max_cost, Batch.spent).where(Batch.id == batch_id)).one_or_none()
    return None if row is None or row.max_cost is None else max(Decimal(0), row.max_cost - row.spent)


def limit_month(connection: Connection, tenant: str, budget: Decimal | None) -> None:
    """Limit the cost of a tenant's calls in a calendar month (UTC); None removes the limit."""
    connection.execute(
        upserts.insert(connection.dialect.name, Tenant)
        .values(name=tenant, monthly_budget=budget)
        .on_conflict_do_update(index_elements=["name"], set_={"monthly_budget": budget})
    )


def limit_key(connection: Connection, key_id: UUID, budget: Decimal | None) -> bool:
    """Limit the total cost of an API key's jobs; None removes the limit. Returns False for an unknown key."""
    return connection.execute(update(ApiKey).where(ApiKey.id == key_id).values(budget=budget)).rowcount > 0


def monthly(connection: Connection, tenant: str) -> Decimal | None:
    return connection.execute(select(Tenant.monthly_budget).where(Tenant.name == tenant)).scalar()


def covers(connection: Connection, job_id: UUID, *, now: datetime) -> bool:
    """Whether every budget of the job covers the calls in flight, including this job's."""
    found = limits.of_job(connection, job_id, now=now)
    if not found:
        return True
    known = ceilings.load(connection)
    batches = [limit.batch_id for limit in found if limit.batch_id is not None]
    flying = in_flight.in_flight(connection, batches, {limit.tenant for limit in found})
    return all(limit.left >= in_flight.reserved(known, filter(limit.covers, flying)) for limit in found)


def standings(connection: Connection, *, now: datetime) -> list[Budget]:
    """Return the budgets of batches and keys with unfinished jobs, and of tenants in this month."""
    found = limits.standing(connection, now=now)
    if not found:
        return []
    known = ceilings.load(connection)
    batches = [limit.batch_id for limit in found if limit.batch_id is not None]
    tenants = {limit.tenant for limit in found if limit.batch_id is None}
    flying = in_flight.in_flight(connection, batches, tenants)
    month = charges.month_of(now)
    return [
        Budget(
            tenant=limit.tenant,
            batch_id=limit.batch_id,
            month=month if limit.payer == limit.tenant else None,
            name=limit.name,
            limit=limit.amount,
            spent=limit.spent,
            reserved=in_flight.reserved(known, (flight for flight in flying if limit.covers(flight))),
            wanted=_wanted(connection, known, limit),
            unclear=limit.unclear,
            key_id=limit.key_id,
        )
        for limit in found
    ]


def _wanted(connection: Connection, known: Ceilings, limit: Limit) -> Decimal | None:
    """The first in the queue: highest priority, then earliest submission."""
    its = _its_jobs(limit)
    size = ceilings.text_bytes(connection.dialect.name).label("size")
    first: Any = connection.execute(
        select(Job.model, size).where(in_state(JobStatus.QUEUED), its).order_by(Job.priority.desc(), Job.id).limit(1)
    ).one_or_none()
    return None if first is None else ceilings.at_most(known, first.model, first.size)


def _its_jobs(limit: Limit) -> ColumnElement[bool]:
    if limit.batch_id is not None:
        return Job.batch_id == limit.batch_id
    if limit.key_id is not None:
        return (Job.key_id == limit.key_id) & unfinished_of_key()
    return Job.tenant == limit.tenant
