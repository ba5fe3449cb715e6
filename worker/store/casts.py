"""Casts as rows. Every query is one tenant's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update

from worker.store import upserts
from worker.store.tables.casts import CastRow


@dataclass(frozen=True, slots=True)
class CastRecord:
    tenant: str
    name: str
    version: int
    roles: Mapping[str, Any]
    created_at: datetime


_COLUMNS = tuple(getattr(CastRow, name) for name in CastRecord.__slots__)
_REMAINS = CastRow.roles.is_not(None)


def put(connection: Connection, tenant: str, name: str, roles: Mapping[str, Any], *, now: datetime) -> CastRecord:
    """Store a new version, unless the latest one has the same roles. Returns the version that has them."""
    written = json.dumps(roles, ensure_ascii=False)
    while True:
        known = find(connection, tenant, name)
        if known is not None and json.dumps(known.roles, ensure_ascii=False) == written:
            return known
        version = _last_version(connection, tenant, name) + 1
        values = {"tenant": tenant, "name": name, "version": version, "roles": written, "created_at": now}
        added = upserts.insert(connection.dialect.name, CastRow).values(**values).on_conflict_do_nothing()
        # SQLAlchemy discards an INSERT's row count otherwise.
        if connection.execute(added.execution_options(preserve_rowcount=True)).rowcount:
            return CastRecord(tenant, name, version, roles, now)


def _last_version(connection: Connection, tenant: str, name: str) -> int:
    query = select(func.max(CastRow.version)).where(CastRow.tenant == tenant, CastRow.name == name)
    return connection.execute(query).scalar() or 0


def find(connection: Connection, tenant: str, name: str, version: int | None = None) -> CastRecord | None:
    """Return a version, or the latest one; None if there is none or it was removed."""
    query = select(*_COLUMNS).where(CastRow.tenant == tenant, CastRow.name == name, _REMAINS)
    if version is not None:
        query = query.where(CastRow.version == version)
    row = connection.execute(query.order_by(CastRow.version.desc()).limit(1)).one_or_none()
    return None if row is None else _record(tuple(row))


def latest(connection: Connection, tenant: str) -> list[CastRecord]:
    """Return the latest version of each cast, by name."""
    newest = (
        select(CastRow.name, func.max(CastRow.version).label("version"))
        .where(CastRow.tenant == tenant, _REMAINS)
        .group_by(CastRow.name)
        .subquery()
    )
    query = (
        select(*_COLUMNS)
        .join(newest, (newest.c.name == CastRow.name) & (newest.c.version == CastRow.version))
        .where(CastRow.tenant == tenant)
        .order_by(CastRow.name)
    )
    return [_record(tuple(row)) for row in connection.execute(query)]


def versions(connection: Connection, tenant: str, name: str) -> list[int]:
    query = select(CastRow.version).where(CastRow.tenant == tenant, CastRow.name == name, _REMAINS)
    return list(connection.execute(query.order_by(CastRow.version)).scalars())


def remove(connection: Connection, tenant: str, name: str) -> int:
    """Remove all versions. Their numbers are not used again. Returns how many there were."""
    which = CastRow.tenant == tenant, CastRow.name == name, _REMAINS
    return connection.execute(update(CastRow).where(*which).values(roles=None)).rowcount


def _record(row: tuple[Any, ...]) -> CastRecord:
    values = dict(zip(CastRecord.__slots__, row, strict=True))
    return CastRecord(**values | {"roles": json.loads(values["roles"])})
