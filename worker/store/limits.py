"""The limits that are set on what calls may cost, and what has been spent of them.

What is spent counts up to the last recorded attempt, read or not: a counter and the rows that it doesn't hold yet are
looked at in one statement. Whoever asks after the jobs in flight first, and here after that, meets a call that ends in
between twice, and never not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, func, select

from api_models.status import TERMINAL
from worker.store import charges
from worker.store.attempts import UNNOTED
from worker.store.flights import Flight
from worker.store.states import in_state
from worker.store.tables import Attempt, Batch, Job, Tenant, TenantMonth

Payer = UUID | str
"""A batch, or a tenant."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, in US dollars."""

    tenant: str
    batch_id: UUID | None
    """The batch whose calls it limits; None: all calls of the tenant in a month."""
    name: str
    """What people call the batch; the tenant's own name for a month."""
    amount: Decimal
    spent: Decimal

    @property
    def payer(self) -> Payer:
        """Whose calls it limits."""
        return self.tenant if self.batch_id is None else self.batch_id

    def covers(self, flight: Flight) -> bool:
        """Whether this job's calls are counted against it."""
        return flight.tenant == self.tenant if self.batch_id is None else flight.batch_id == self.batch_id


_UNREAD = select(func.coalesce(func.sum(Attempt.cost, type_=Attempt.cost.type), 0, type_=Attempt.cost.type)).where(
    UNNOTED
)
_BATCHES = select(
    Batch.tenant,
    Batch.id,
    Batch.name,
    Batch.max_cost,
    Batch.spent,
    _UNREAD.where(Attempt.batch_id == Batch.id).correlate(Batch).scalar_subquery().label("unread"),
).where(Batch.max_cost.is_not(None))
_TENANTS = (
    select(
        Tenant.name,
        Tenant.monthly_budget,
        TenantMonth.spent,
        _UNREAD.where(
            Attempt.tenant == Tenant.name,
            Attempt.finished_at >= bindparam("begins"),
            Attempt.finished_at < bindparam("ends"),
        )
        .correlate(Tenant)
        .scalar_subquery()
        .label("unread"),
    )
    .outerjoin(TenantMonth, (TenantMonth.tenant == Tenant.name) & (TenantMonth.month == bindparam("its_month")))
    .where(Tenant.monthly_budget.is_not(None))
    .order_by(Tenant.name)
)
_THESE_BATCHES = _BATCHES.where(Batch.id.in_(bindparam("batches", expanding=True)))
_THESE_TENANTS = _TENANTS.where(Tenant.name.in_(bindparam("tenants", expanding=True)))
_UNFINISHED = _BATCHES.where(
    exists().where(Job.batch_id == Batch.id, ~in_state(*sorted(TERMINAL))).correlate(Batch)
).order_by(Batch.created_at)


def limits(
    connection: Connection, batches: Collection[UUID], tenants: Collection[str], *, now: datetime
) -> list[Limit]:
    """The limits of these batches, and of these tenants in this month. For the dispatcher: it may begin a month."""
    found = [_of_batch(row) for row in connection.execute(_THESE_BATCHES, {"batches": list(batches)})]
    of_tenants = connection.execute(_THESE_TENANTS, {"tenants": list(tenants), **_month(now)}).all()
    return found + [
        _of_tenant(row, lambda tenant, month: charges.begin(connection, tenant, month), now) for row in of_tenants
    ]


def standing(connection: Connection, *, now: datetime) -> list[Limit]:
    """The limits of all batches that aren't over, and of all tenants in this month. Reading only."""
    found = [_of_batch(row) for row in connection.execute(_UNFINISHED)]
    of_tenants = connection.execute(_TENANTS, _month(now)).all()
    return found + [
        _of_tenant(row, lambda tenant, month: charges.of_month(connection, tenant, month), now) for row in of_tenants
    ]


def _month(now: datetime) -> dict[str, object]:
    month = charges.month_of(now)
    begins, ends = charges.span(month)
    return {"its_month": month, "begins": begins, "ends": ends}


def _of_batch(row: Any) -> Limit:  # noqa: ANN401 - the row of a statement that names no type
    return Limit(row.tenant, row.id, row.name, row.max_cost, row.spent + row.unread)


def _of_tenant(row: Any, begin: Callable[[str, str], Decimal], now: datetime) -> Limit:  # noqa: ANN401 - likewise
    """`begin` finds what a month has cost that no counter was kept of yet."""
    spent = begin(row.name, charges.month_of(now)) if row.spent is None else row.spent
    return Limit(row.name, None, row.name, row.monthly_budget, spent + row.unread)
