"""Leases: a duty held by one process at a time, by compare-and-set on the database's clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.store.tables import Lease

DISPATCHER = "dispatcher"
"""The lease of the one that decides what starts. A tick renews it first of all, and so has its row until its end."""

_RENEW = (
    update(Lease)
    .where(
        Lease.name == bindparam("lease"),
        or_(Lease.holder == bindparam("me"), Lease.expires_at <= bindparam("now")),
    )
    .values(holder=bindparam("me"), expires_at=bindparam("until"))
)


def hold(connection: Connection, name: str, holder: UUID, *, seconds: float, now: datetime) -> bool:
    """Take or renew the lease. True while `holder` has it; only an expired lease changes hands."""
    until = now + timedelta(seconds=seconds)
    if connection.execute(_RENEW, {"lease": name, "me": holder, "now": now, "until": until}).rowcount:
        return True
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    added = connection.execute(
        dialect.insert(Lease)
        .values(name=name, holder=holder, expires_at=until)
        .on_conflict_do_nothing()
        .execution_options(preserve_rowcount=True)  # an INSERT's count is thrown away otherwise
    ).rowcount
    return added > 0


def holder(connection: Connection, name: str, *, now: datetime) -> UUID | None:
    """Who holds the lease now, if anybody."""
    return connection.execute(select(Lease.holder).where(Lease.name == name, Lease.expires_at > now)).scalar()


def await_tick(connection: Connection) -> None:
    """Wait until no tick of a dispatcher is under way; none begins before the end of this transaction."""
    connection.execute(select(Lease.holder).where(Lease.name == DISPATCHER).with_for_update())
