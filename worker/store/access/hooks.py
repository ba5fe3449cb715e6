"""Inbound hooks, and the deliveries they have already accepted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from worker.store.tables.access import Hook, HookDelivery


@dataclass(frozen=True, slots=True)
class HookRecord:
    id: UUID
    tenant: str
    name: str
    scheme: str
    secret: str
    options: Mapping[str, Any]
    mapping: Mapping[str, Any]
    created_at: datetime

    def __repr__(self) -> str:
        return f"HookRecord({self.name!r})"  # keeps the secret out of logged tracebacks


_COLUMNS = tuple(getattr(Hook, name) for name in HookRecord.__slots__)


def add(connection: Connection, hook: HookRecord) -> bool:
    values = {name: getattr(hook, name) for name in HookRecord.__slots__}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return (
        connection.execute(
            dialect.insert(Hook)
            .values({**values, "options": json.dumps(dict(hook.options)), "mapping": json.dumps(dict(hook.mapping))})
            .on_conflict_do_nothing(index_elements=["name"])
            .execution_options(preserve_rowcount=True)  # SQLAlchemy discards an INSERT's row count otherwise
        ).rowcount
        > 0
    )


def by_name(connection: Connection, name: str) -> HookRecord | None:
    row = connection.execute(select(*_COLUMNS).where(Hook.name == name)).one_or_none()
    return None if row is None else _record(tuple(row))


def listed(connection: Connection) -> list[HookRecord]:
    return [_record(tuple(row)) for row in connection.execute(select(*_COLUMNS).order_by(Hook.name))]


def remove(connection: Connection, name: str) -> bool:
    """Remove a hook; the jobs that it created remain."""
    return connection.execute(delete(Hook).where(Hook.name == name)).rowcount > 0


def taken(connection: Connection, hook_id: UUID, names: Sequence[str], *, jobs: int, now: datetime) -> bool:
    """Record a delivery under all its names. Returns False if one of them is known: the delivery is a repeat.

    Roll back the transaction on False, because some of the names may have been new.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for name in sorted(names):
        added = connection.execute(
            dialect.insert(HookDelivery)
            .values(hook_id=hook_id, delivery=name, received_at=now, jobs=jobs)
            .on_conflict_do_nothing()
            .execution_options(preserve_rowcount=True)
        ).rowcount
        if not added:
            return False
    return True


def forget(connection: Connection, *, received_before: datetime) -> int:
    return connection.execute(delete(HookDelivery).where(HookDelivery.received_at < received_before)).rowcount


def _record(row: tuple[Any, ...]) -> HookRecord:
    values = dict(zip(HookRecord.__slots__, row, strict=True))
    parsed = {"options": json.loads(values["options"]), "mapping": json.loads(values["mapping"])}
    return HookRecord(**{**values, **parsed})
