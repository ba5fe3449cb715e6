"""Who hands jobs in. Reading only."""

from __future__ import annotations

from sqlalchemy import Connection, select, union

from worker.store.tables import Batch, Job, Tenant


def names(connection: Connection) -> list[str]:
    """Everybody who ever handed in a batch or a job, by name."""
    theirs = union(select(Batch.tenant), select(Job.tenant).where(Job.batch_id.is_(None)))
    return sorted(connection.execute(theirs).scalars())


def with_budget(connection: Connection) -> list[str]:
    """Everybody whose months have a budget, by name."""
    query = select(Tenant.name).where(Tenant.monthly_budget.is_not(None)).order_by(Tenant.name)
    return list(connection.execute(query).scalars())
