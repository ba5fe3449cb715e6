"""Limits on the cost of calls, and the amount spent under them.

A limit belongs to a batch, to a tenant for each calendar month, or to an API key for all its jobs. A call whose outcome
is unknown counts at list price until it is known.

The amount spent includes every recorded attempt: one statement reads a counter and the rows not yet added to it. Read
the jobs in flight first and the limits second: a call that ends in between is then counted twice, never missed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy import text as sql

from api_models.registry import MODELS
from api_models.speech_model import TYPICAL_CHARACTERS, Price
from api_models.status import TERMINAL
from worker.store.money import charges
from worker.store.money.in_flight import Flight
from worker.store.queries.attempts import UNNOTED
from worker.store.states import in_state, unfinished_of_key
from worker.store.tables.access import ApiKey
from worker.store.tables.account import Tenant, TenantMonth
from worker.store.tables.jobs import Attempt, Batch, Job
from worker.store.types import PICODOLLARS, Money

ZERO: Final = Decimal(0)
ListPrices = tuple[tuple[str, Price], ...]
"""By model, on one day."""
Payer = UUID | str
"""A batch or an API key by its id, or a tenant by name."""


@dataclass(frozen=True, slots=True)
class Limit:
    tenant: str
    batch_id: UUID | None
    name: str
    """Name of the batch or the key; for a month, the tenant's."""
    amount: Decimal
    spent: Decimal
    unclear: Decimal = ZERO
    """List price of calls that may have been billed but have no clear response."""
    key_id: UUID | None = None

    @property
    def payer(self) -> Payer:
        return self.batch_id or self.key_id or self.tenant

    @property
    def left(self) -> Decimal:
        """The remaining amount; negative if it was overdrawn or lowered later."""
        return self.amount - self.spent - self.unclear

    def covers(self, flight: Flight) -> bool:
        if self.batch_id is not None:
            return flight.batch_id == self.batch_id
        return flight.tenant == self.tenant if self.key_id is None else flight.key_id == self.key_id


def _list_price(prices: ListPrices) -> ColumnElement[Decimal]:
    """Total list price of the selected attempts; models without a list price count zero."""
    by_model = [(Attempt.model == literal_column(f"'{slug}'"), _of_attempt(price)) for slug, price in prices]
    return type_coerce(func.coalesce(func.sum(case(*by_model, else_=literal_column("0"))), 0), Money())


def _of_attempt(price: Price) -> ColumnElement[int]:
    """In picodollars. A text whose length is unknown counts as a typical one."""
    if not price.per_character:
        return _picodollars(price.per_call)
    size = func.coalesce(Attempt.text_bytes, literal_column(str(TYPICAL_CHARACTERS)), type_=BigInteger)
    return _picodollars(price.per_call) + _picodollars(price.per_character) * size


def _picodollars(amount: Decimal) -> ColumnElement[int]:
    return literal_column(str(int(amount * PICODOLLARS)), BigInteger)


_UNREAD = select(func.coalesce(func.sum(Attempt.cost, type_=Attempt.cost.type), 0, type_=Attempt.cost.type)).where(
    UNNOTED
)
_IN_MONTH = (
    Attempt.tenant == Tenant.name,
    Attempt.finished_at >= bindparam("begins"),
    Attempt.finished_at < bindparam("ends"),
)
# Not joined: starting from the key, the database would read all jobs that it ever had.
_ITS_CALLS = select(Job.key_id).where(Job.id == Attempt.job_id).correlate(Attempt).scalar_subquery() == ApiKey.id


class _Statements:
    """The statements that read limits. They hold the list prices of one day, because calls without a clear response
    count at these.
    """

    def __init__(self, prices: ListPrices) -> None:
        # Literally as in the partial index, for SQLite. A call with a cost is booked already.
        unclear = select(_list_price(prices)).where(sql("attempts.possibly_billed"), Attempt.cost == ZERO)
        self.any_batch = select(
            Batch.tenant,
            Batch.id,
            Batch.name,
            Batch.max_cost,
            Batch.spent,
            _UNREAD.where(Attempt.batch_id == Batch.id).correlate(Batch).scalar_subquery().label("unread"),
            unclear.where(Attempt.tenant == Batch.tenant, Attempt.batch_id == Batch.id)
            .correlate(Batch)
            .scalar_subquery()
            .label("unclear"),
        )
        limited = self.any_batch.where(Batch.max_cost.is_not(None))
        self.these_batches = limited.where(Batch.id.in_(bindparam("batches", expanding=True)))
        self.unfinished = limited.where(
            exists().where(Job.batch_id == Batch.id, ~in_state(*sorted(TERMINAL))).correlate(Batch)
        ).order_by(Batch.created_at)
        self.tenants = _tenants(unclear)
        self.these_tenants = self.tenants.where(Tenant.name.in_(bindparam("tenants", expanding=True)))
        keys = _keys(unclear)
        self.these_keys = keys.where(ApiKey.id.in_(bindparam("keys", expanding=True)))
        self.working_keys = keys.where(
            exists().where(Job.key_id == ApiKey.id, unfinished_of_key()).correlate(ApiKey)
        ).order_by(ApiKey.id)


def _tenants(unclear: Select[Decimal]) -> Any:  # noqa: ANN401 - its columns are read by name
    return (
        select(
            Tenant.name,
            Tenant.monthly_budget,
            TenantMonth.spent,
            _UNREAD.where(*_IN_MONTH).correlate(Tenant).scalar_subquery().label("unread"),
            unclear.where(*_IN_MONTH).correlate(Tenant).scalar_subquery().label("unclear"),
        )
        .outerjoin(TenantMonth, (TenantMonth.tenant == Tenant.name) & (TenantMonth.month == bindparam("its_month")))
        .where(Tenant.monthly_budget.is_not(None))
        .order_by(Tenant.name)
    )


def _keys(unclear: Select[Decimal]) -> Any:  # noqa: ANN401 - likewise
    return select(
        ApiKey.id,
        ApiKey.tenant,
        ApiKey.name,
        ApiKey.budget,
        ApiKey.spent,
        _UNREAD.where(_ITS_CALLS).correlate(ApiKey).scalar_subquery().label("unread"),
        unclear.where(Attempt.tenant == ApiKey.tenant, _ITS_CALLS).correlate(ApiKey).scalar_subquery().label("unclear"),
    ).where(ApiKey.budget.is_not(None))


@lru_cache(maxsize=4)
def _at(prices: ListPrices) -> _Statements:
    return _Statements(prices)


def _statements() -> _Statements:
    """The statements with the list prices of today."""
    return _at(MODELS.prices())


def limits(
    connection: Connection, batches: Collection[UUID], tenants: Collection[str], *, now: datetime
) -> list[Limit]:
    """Return the limits of these batches, and of these tenants this month. For the dispatcher: it may start a month."""
    found = [_of_batch(row) for row in connection.execute(_statements().these_batches, {"batches": list(batches)})]
    of_tenants = connection.execute(_statements().these_tenants, {"tenants": list(tenants), **_month(now)}).all()
    return found + [
        _of_tenant(row, lambda tenant, month: charges.begin(connection, tenant, month), now) for row in of_tenants
    ]


def of_job(connection: Connection, job_id: UUID, *, now: datetime) -> list[Limit]:
    """Return the limits that apply to a job's calls. Read-only."""
    row: Any = connection.execute(select(Job.tenant, Job.batch_id, Job.key_id).where(Job.id == job_id)).one_or_none()
    if row is None:
        return []
    found = [_of_batch(one) for one in connection.execute(_statements().these_batches, {"batches": [row.batch_id]})]
    of_tenant = connection.execute(_statements().these_tenants, {"tenants": [row.tenant], **_month(now)}).all()
    found += [
        _of_tenant(one, lambda tenant, month: charges.of_month(connection, tenant, month), now) for one in of_tenant
    ]
    of_its_key = None if row.key_id is None else of_key(connection, row.key_id)
    return found if of_its_key is None else [*found, of_its_key]


def spent_by(connection: Connection, batch_id: UUID) -> Decimal:
    """Return the amount that counts against a batch's budget, with or without a limit. Zero for an unknown batch."""
    row: Any = connection.execute(_statements().any_batch.where(Batch.id == batch_id)).one_or_none()
    return ZERO if row is None else row.spent + row.unread + row.unclear


def of_keys(connection: Connection, keys: Collection[UUID]) -> list[Limit]:
    """Return the limits of these API keys. For the dispatcher: it may start a key's counter."""
    rows = connection.execute(_statements().these_keys, {"keys": list(keys)}).all()
    return [_of_key(row, lambda key: charges.begin_key(connection, key)) for row in rows]


def of_key(connection: Connection, key_id: UUID) -> Limit | None:
    row = connection.execute(_statements().these_keys, {"keys": [key_id]}).one_or_none()
    return None if row is None else _of_key(row, lambda key: charges.of_key(connection, key))


def standing(connection: Connection, *, now: datetime) -> list[Limit]:
    """Return the limits of batches and keys with unfinished jobs, and of all tenants in this month. Read-only."""
    found = [_of_batch(row) for row in connection.execute(_statements().unfinished)]
    of_tenants = connection.execute(_statements().tenants, _month(now)).all()
    found += [
        _of_tenant(row, lambda tenant, month: charges.of_month(connection, tenant, month), now) for row in of_tenants
    ]
    keys = connection.execute(_statements().working_keys).all()
    return found + [_of_key(row, lambda key: charges.of_key(connection, key)) for row in keys]


def _month(now: datetime) -> dict[str, object]:
    month = charges.month_of(now)
    begins, ends = charges.span(month)
    return {"its_month": month, "begins": begins, "ends": ends}


def _of_batch(row: Any) -> Limit:  # noqa: ANN401 - the row of a statement that names no type
    return Limit(row.tenant, row.id, row.name, row.max_cost, row.spent + row.unread, row.unclear)


def _of_key(row: Any, begin: Callable[[UUID], Decimal]) -> Limit:  # noqa: ANN401 - likewise
    """`begin` returns the cost of a key's jobs that has no counter yet."""
    spent = begin(row.id) if row.spent is None else row.spent
    return Limit(row.tenant, None, row.name, row.budget, spent + row.unread, row.unclear, key_id=row.id)


def _of_tenant(row: Any, begin: Callable[[str, str], Decimal], now: datetime) -> Limit:  # noqa: ANN401 - likewise
    """`begin` returns the cost of a month that has no counter yet."""
    spent = begin(row.name, charges.month_of(now)) if row.spent is None else row.spent
    return Limit(row.name, None, row.name, row.monthly_budget, spent + row.unread, row.unclear)
