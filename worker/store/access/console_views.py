"""Named filters of the console's list of jobs: a tenant's, shared by its sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from worker.store.tables.console import ConsoleView

MAX_VIEWS: Final = 50
"""Of one tenant."""
MAX_NAME_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True)
class ViewRecord:
    name: str
    filter: str
    actor: str


_COLUMNS: Final = tuple(getattr(ConsoleView, name) for name in ViewRecord.__slots__)


def listed(connection: Connection, tenant: str) -> Sequence[ViewRecord]:
    query = select(*_COLUMNS).where(ConsoleView.tenant == tenant).order_by(ConsoleView.name)
    return [ViewRecord(*row) for row in connection.execute(query)]


def save(connection: Connection, tenant: str, view: ViewRecord, *, now: datetime) -> bool:
    """Save a view; one of the same name is replaced. Returns False if the tenant has `MAX_VIEWS` others."""
    remove(connection, tenant, view.name)
    known = select(func.count()).select_from(ConsoleView).where(ConsoleView.tenant == tenant)
    if connection.execute(known).scalar_one() >= MAX_VIEWS:
        return False
    values = {"tenant": tenant, "name": view.name, "filter": view.filter, "actor": view.actor, "created_at": now}
    connection.execute(insert(ConsoleView).values(values))
    return True


def remove(connection: Connection, tenant: str, name: str) -> bool:
    which = (ConsoleView.tenant == tenant) & (ConsoleView.name == name)
    return connection.execute(delete(ConsoleView).where(which)).rowcount > 0
