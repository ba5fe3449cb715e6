"""Leases: a duty held by one process at a time, by compare-and-set on the database's clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.store.tables import Lease


def hold(connection: Connection, name: str, holder: UUID, *, seconds: float, now: datetime) -> bool:
    """Take or renew the lease. True while `holder` has it; only an expired lease changes hands."""
    until = now + timedelta(seconds=seconds)
    renewed = connection.execute(
        update(Lease)
        .where(Lease.name == name, or_(Lease.holder == holder, Lease.expires_at <= now))
        .values(holder=holder, expires_at=until)
    ).rowcount
    if renewed:
        return True
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    added = connection.execute(
        dialect.insert(Lease).values(name=name, holder=holder, expires_at=until).on_conflict_do_nothing()
    ).rowcount
    return added > 0


def holder(connection: Connection, name: str, *, now: datetime) -> UUID | None:
    """Who holds the lease now, if anybody."""
    return connection.execute(select(Lease.holder).where(Lease.name == name, Lease.expires_at > now)).scalar()
