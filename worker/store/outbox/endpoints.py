"""Endpoints: receivers of a tenant's events over HTTP, with their secrets and their health."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert, select, update
from uuid_utils.compat import uuid7

from worker.store import upserts
from worker.store.tables.webhooks import Endpoint


@dataclass(frozen=True, slots=True)
class EndpointRecord:
    id: UUID
    tenant: str
    url: str | None
    secret: str
    old_secret: str | None
    old_secret_until: datetime | None
    events: str
    ordered: bool
    thin: bool
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None
    flat: bool = False
    header_name: str | None = None
    header_value: str | None = None

    def __repr__(self) -> str:
        return f"EndpointRecord({self.id}, {self.url!r})"  # keeps the secrets out of logged tracebacks

    def wants(self, type: str) -> bool:  # noqa: A002 - the word of the events
        return not self.events or type in self.events.split()

    @property
    def is_flat(self) -> bool:
        """Automation tools receive callbacks, and read the first level of a message only."""
        return self.flat or self.url is None

    @property
    def secret_header(self) -> dict[str, str]:
        # Never to callbacks: their addresses are chosen by producers.
        if self.url is None or self.header_name is None or self.header_value is None:
            return {}
        return {self.header_name.lower(): self.header_value}

    def secrets(self, now: datetime) -> list[str]:
        old = self.old_secret is not None and self.old_secret_until is not None and self.old_secret_until > now
        return [self.secret, str(self.old_secret)] if old else [self.secret]


_COLUMNS = tuple(getattr(Endpoint, name) for name in EndpointRecord.__slots__)


def add(connection: Connection, endpoint: EndpointRecord) -> None:
    connection.execute(insert(Endpoint).values({name: getattr(endpoint, name) for name in EndpointRecord.__slots__}))


def callbacks(connection: Connection, tenant: str, *, fresh_secret: str, now: datetime) -> None:
    """Create the endpoint for the tenant's callback URLs if it does not exist."""
    connection.execute(
        upserts.insert(connection.dialect.name, Endpoint)
        .values(id=uuid7(), tenant=tenant, secret=fresh_secret, events="", ordered=False, thin=False, created_at=now)
        .on_conflict_do_nothing()
    )


def by_id(connection: Connection, endpoint_id: UUID, *, tenant: str | None = None) -> EndpointRecord | None:
    query = select(*_COLUMNS).where(Endpoint.id == endpoint_id)
    if tenant is not None:
        query = query.where(Endpoint.tenant == tenant)
    row = connection.execute(query).one_or_none()
    return None if row is None else EndpointRecord(*row)


def of_tenants(connection: Connection, tenants: Sequence[str]) -> list[EndpointRecord]:
    rows = connection.execute(
        select(*_COLUMNS).where(Endpoint.tenant.in_(tenants), Endpoint.disabled_at.is_(None)).order_by(Endpoint.id)
    )
    return [EndpointRecord(*row) for row in rows]


def listed(connection: Connection, *, tenant: str | None = None) -> list[EndpointRecord]:
    query = select(*_COLUMNS).order_by(Endpoint.id)
    if tenant is not None:
        query = query.where(Endpoint.tenant == tenant)
    return [EndpointRecord(*row) for row in connection.execute(query)]


def change(connection: Connection, endpoint_id: UUID, values: dict[str, Any]) -> bool:
    return connection.execute(update(Endpoint).where(Endpoint.id == endpoint_id).values(values)).rowcount > 0


def rotate(connection: Connection, endpoint: EndpointRecord, *, fresh_secret: str, both_until: datetime) -> None:
    """Set a new secret; messages are also signed with the old one until `both_until`."""
    change(
        connection,
        endpoint.id,
        {"secret": fresh_secret, "old_secret": endpoint.secret, "old_secret_until": both_until},
    )


def disable(connection: Connection, endpoint_id: UUID, why: str, *, now: datetime) -> bool:
    """Send it no more messages. Returns True only if this call disabled it, so that it is reported once."""
    return (
        connection.execute(
            update(Endpoint)
            .where(Endpoint.id == endpoint_id, Endpoint.disabled_at.is_(None))
            .values(disabled_at=now, disabled_why=why)
        ).rowcount
        > 0
    )


def remove(connection: Connection, endpoint_id: UUID) -> bool:
    return connection.execute(delete(Endpoint).where(Endpoint.id == endpoint_id)).rowcount > 0
