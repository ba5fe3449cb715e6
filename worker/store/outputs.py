"""Where batches and tenants store their audio, if not at the location in the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, select, union, update

from worker.store import upserts
from worker.store.tables.account import Tenant
from worker.store.tables.jobs import Batch, Job


def names(connection: Connection) -> list[str]:
    tenants = union(select(Batch.tenant), select(Job.tenant).where(Job.batch_id.is_(None)))
    return sorted(connection.execute(tenants).scalars())


def with_budget(connection: Connection) -> list[str]:
    query = select(Tenant.name).where(Tenant.monthly_budget.is_not(None)).order_by(Tenant.name)
    return list(connection.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class Output:
    """A location and its object name template; None for those of the settings."""

    url: str | None = None
    key_template: str | None = None


NONE: Final = Output()

_OF_BATCH: Final = select(Batch.output_url, Batch.key_template).where(Batch.id == bindparam("batch"))
_OF_TENANT: Final = select(Tenant.output_url).where(Tenant.name == bindparam("tenant"))


def of_batch(connection: Connection, batch_id: UUID) -> Output:
    row = connection.execute(_OF_BATCH, {"batch": batch_id}).one_or_none()
    return NONE if row is None else Output(*row)


def of_tenant(connection: Connection, tenant: str) -> str | None:
    found: str | None = connection.execute(_OF_TENANT, {"tenant": tenant}).scalar()
    return found


def name_keys(connection: Connection, batch_id: UUID, key_template: str) -> None:
    """Set a batch's object name template. Call it only in the transaction that creates the batch: keys never change."""
    connection.execute(update(Batch).where(Batch.id == batch_id).values(key_template=key_template))


def give_tenant(connection: Connection, tenant: str, url: str | None) -> None:
    """Store a tenant's future audio there; None for the location in the settings. Stored audio is not moved."""
    connection.execute(
        upserts.insert(connection.dialect.name, Tenant)
        .values(name=tenant, output_url=url)
        .on_conflict_do_update(index_elements=["name"], set_={"output_url": url})
    )
