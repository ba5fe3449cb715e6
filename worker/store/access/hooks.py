"""Inbound hooks, and which of their senders' deliveries have been taken already."""

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
    """One hook."""

    id: UUID
    tenant: str
    name: str
    scheme: str
    secret: str
    options: Mapping[str, Any]
    mapping: Mapping[str, Any]
    created_at: datetime

    def __repr__(self) -> str:
        return f"HookRecord({self.name!r})"  # a secret must not get into a log by way of a traceback


_COLUMNS = tuple(getattr(Hook, name) for name in HookRecord.__slots__)


def add(connection: Connection, hook: HookRecord) -> bool:
    """Write a new hook. False where the name is taken."""
    values = {name: getattr(hook, name) for name in HookRecord.__slots__}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return (
        connection.execute(
            dialect.insert(Hook)
            .values({**values, "options": json.dumps(dict(hook.options)), "mapping": json.dumps(dict(hook.mapping))})
            .on_conflict_do_nothing(index_elements=["name"])
            .execution_options(preserve_rowcount=True)  # an INSERT's count is thrown away otherwise
        ).rowcount
        > 0
    )


def by_name(connection: Connection, name: str) -> HookRecord | None:
    """The hook at this address."""
    row = connection.execute(select(*_COLUMNS).where(Hook.name == name)).one_or_none()
    return None if row is None else _record(tuple(row))


def listed(connection: Connection) -> list[HookRecord]:
    """Every hook, by name."""
    return [_record(tuple(row)) for row in connection.execute(select(*_COLUMNS).order_by(Hook.name))]


def remove(connection: Connection, name: str) -> bool:
    """Take a hook away; what came of its webhooks stays."""
    return connection.execute(delete(Hook).where(Hook.name == name)).rowcount > 0


def taken(connection: Connection, hook_id: UUID, names: Sequence[str], *, jobs: int, now: datetime) -> bool:
    """Note a delivery under all of its names. False where one of them was known: then it has come before.

    On False the transaction must be rolled back: some of the names may have been new.
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
    """Drop the names of deliveries that no sender repeats any more."""
    return connection.execute(delete(HookDelivery).where(HookDelivery.received_at < received_before)).rowcount


def _record(row: tuple[Any, ...]) -> HookRecord:
    values = dict(zip(HookRecord.__slots__, row, strict=True))
    parsed = {"options": json.loads(values["options"]), "mapping": json.loads(values["mapping"])}
    return HookRecord(**{**values, **parsed})
