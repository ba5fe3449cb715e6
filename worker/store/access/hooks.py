"""Inbound hooks, and the deliveries they have already accepted: remembered by tenant and name, beyond the hook."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, select, update

from worker.store import upserts
from worker.store.tables.access import Hook, HookDelivery, HookReceipt
from worker.store.tables.base import Base


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
    old_secret: str | None = None
    old_secret_until: datetime | None = None

    def secrets(self, now: datetime) -> list[str]:
        valid = self.old_secret is not None and self.old_secret_until is not None and now < self.old_secret_until
        return [self.secret, self.old_secret] if valid and self.old_secret else [self.secret]

    def __repr__(self) -> str:
        return f"HookRecord({self.name!r})"  # keeps the secret out of logged tracebacks


_COLUMNS = tuple(getattr(Hook, name) for name in HookRecord.__slots__)


def add(connection: Connection, hook: HookRecord) -> bool:
    values = {name: getattr(hook, name) for name in HookRecord.__slots__}
    return (
        connection.execute(
            upserts.insert(connection.dialect.name, Hook)
            .values({**values, "options": json.dumps(dict(hook.options)), "mapping": json.dumps(dict(hook.mapping))})
            .on_conflict_do_nothing(index_elements=["name"])
            .execution_options(preserve_rowcount=True)  # SQLAlchemy discards an INSERT's row count otherwise
        ).rowcount
        > 0
    )


def by_name(connection: Connection, name: str) -> HookRecord | None:
    if not name.isprintable():
        return None
    row = connection.execute(select(*_COLUMNS).where(Hook.name == name)).one_or_none()
    return None if row is None else _record(tuple(row))


def listed(connection: Connection) -> list[HookRecord]:
    return [_record(tuple(row)) for row in connection.execute(select(*_COLUMNS).order_by(Hook.name))]


def remove(connection: Connection, name: str) -> bool:
    """Remove a hook; the jobs that it created remain."""
    return connection.execute(delete(Hook).where(Hook.name == name)).rowcount > 0


def change(connection: Connection, hook: HookRecord) -> bool:
    """Store the hook's scheme, secrets, options and mapping under its name."""
    changed = (
        update(Hook)
        .where(Hook.name == hook.name)
        .values(
            scheme=hook.scheme,
            secret=hook.secret,
            old_secret=hook.old_secret,
            old_secret_until=hook.old_secret_until,
            options=json.dumps(dict(hook.options)),
            mapping=json.dumps(dict(hook.mapping)),
        )
    )
    return connection.execute(changed).rowcount > 0


def taken(connection: Connection, hook: HookRecord, names: Sequence[str], *, jobs: int, now: datetime) -> bool:
    """Record a delivery under all its names. Returns False if one of them is known: the delivery is a repeat.

    Roll back the transaction on False, because some of the names may have been new.
    """
    for name in sorted(names):
        common = {"delivery": name, "received_at": now, "jobs": jobs}
        receipt = {"tenant": hook.tenant, "hook": hook.name, **common}
        if not (
            _added(connection, HookReceipt, receipt)
            and _added(connection, HookDelivery, {"hook_id": hook.id, **common})
        ):
            return False
    return True


def _added(connection: Connection, table: type[Base], values: Mapping[str, Any]) -> bool:
    added = upserts.insert(connection.dialect.name, table).values(**values).on_conflict_do_nothing()
    return connection.execute(added.execution_options(preserve_rowcount=True)).rowcount > 0


def forget(connection: Connection, *, received_before: datetime) -> int:
    connection.execute(delete(HookDelivery).where(HookDelivery.received_at < received_before))
    return connection.execute(delete(HookReceipt).where(HookReceipt.received_at < received_before)).rowcount


def _record(row: tuple[Any, ...]) -> HookRecord:
    values = dict(zip(HookRecord.__slots__, row, strict=True))
    parsed = {"options": json.loads(values["options"]), "mapping": json.loads(values["mapping"])}
    return HookRecord(**{**values, **parsed})
