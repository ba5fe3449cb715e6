"""Spending counters of batches, tenants and API keys, stored beside their limits: each ledger row counts once.

Only the leading dispatcher writes them, in the transaction in which it marks the rows as read. The counters therefore
equal the ledger's sums after any change of leader, and for costs that are reported late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, insert, select, tuple_, update
from sqlalchemy import text as sql

from worker.store.tables.access import ApiKey
from worker.store.tables.account import TenantMonth
from worker.store.tables.jobs import Attempt, Batch, Job

ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True)
class Charge:
    tenant: str
    batch_id: UUID | None
    finished_at: datetime
    cost: Decimal
    key_id: UUID | None = None


_BATCH = (
    update(Batch)
    .where(Batch.id == bindparam("batch"))
    .values(spent=Batch.spent + bindparam("paid", type_=Batch.spent.type))
)
_MONTH = (
    update(TenantMonth)
    .where(TenantMonth.tenant == bindparam("payer"), TenantMonth.month == bindparam("its_month"))
    .values(spent=TenantMonth.spent + bindparam("paid", type_=TenantMonth.spent.type))
)
# A counter without a value will start with everything that is marked, including this row.
_KEY = (
    update(ApiKey)
    .where(ApiKey.id == bindparam("key"), ApiKey.spent.is_not(None))
    .values(spent=ApiKey.spent + bindparam("paid", type_=ApiKey.spent.type))
)
_NOTED = sql("attempts.noted")


def add(connection: Connection, charges: Iterable[Charge]) -> None:
    """Add costs to the counters of batches, keys and tenants' months. Their rows are marked already."""
    batches: dict[UUID, Decimal] = {}
    keys: dict[UUID, Decimal] = {}
    months: dict[tuple[str, str], Decimal] = {}
    for charge in charges:
        if not charge.cost:
            continue
        if charge.batch_id is not None:
            batches[charge.batch_id] = batches.get(charge.batch_id, ZERO) + charge.cost
        if charge.key_id is not None:
            keys[charge.key_id] = keys.get(charge.key_id, ZERO) + charge.cost
        month = (charge.tenant, month_of(charge.finished_at))
        months[month] = months.get(month, ZERO) + charge.cost
    if batches:
        connection.execute(_BATCH, [{"batch": batch, "paid": batches[batch]} for batch in sorted(batches)])
    if keys:
        connection.execute(_KEY, [{"key": key, "paid": keys[key]} for key in sorted(keys)])
    if months:
        _add_to_months(connection, months)


def of_month(connection: Connection, tenant: str, month: str) -> Decimal:
    begins, ends = span(month)
    found = connection.execute(
        select(func.sum(Attempt.cost, type_=Attempt.cost.type)).where(
            Attempt.tenant == tenant, _NOTED, Attempt.finished_at >= begins, Attempt.finished_at < ends
        )
    ).scalar()
    return found or ZERO


def of_key(connection: Connection, key_id: UUID) -> Decimal:
    its = select(func.sum(Attempt.cost, type_=Attempt.cost.type)).join(Job, Job.id == Attempt.job_id)
    return connection.execute(its.where(Job.key_id == key_id, _NOTED)).scalar() or ZERO


def begin_key(connection: Connection, key_id: UUID) -> Decimal:
    """Start a key's counter with the ledger's sum."""
    spent = of_key(connection, key_id)
    connection.execute(update(ApiKey).where(ApiKey.id == key_id, ApiKey.spent.is_(None)).values(spent=spent))
    return spent


def month_of(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m}"


def span(month: str) -> tuple[datetime, datetime]:
    begins = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    later = begins.month == 12
    return begins, begins.replace(year=begins.year + later, month=1 if later else begins.month + 1)


def begin(connection: Connection, tenant: str, month: str) -> Decimal:
    """Start a tenant's month with the ledger's sum, which includes rows marked before months were counted."""
    spent = of_month(connection, tenant, month)
    connection.execute(insert(TenantMonth).values(tenant=tenant, month=month, spent=spent))
    return spent


def _add_to_months(connection: Connection, months: dict[tuple[str, str], Decimal]) -> None:
    wanted = sorted(months)
    values = [{"payer": tenant, "its_month": month, "paid": months[tenant, month]} for tenant, month in wanted]
    if connection.execute(_MONTH, values).rowcount == len(wanted):
        return
    which = tuple_(TenantMonth.tenant, TenantMonth.month).in_(wanted)
    known = {
        (row.tenant, row.month)
        for row in connection.execute(select(TenantMonth.tenant, TenantMonth.month).where(which))
    }
    for tenant, month in wanted:
        if (tenant, month) not in known:
            begin(connection, tenant, month)
