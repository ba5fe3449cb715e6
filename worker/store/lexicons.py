"""Lexicons by tenant, name and version. A version is never changed, so that jobs can name the one they were made by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, delete, func, select
from uuid_utils.compat import uuid7

from api_models.lexicons import LexiconRule
from worker.store import upserts
from worker.store.tables.lexicons import LexiconRow

SAVES: Final = 20
"""Attempts to find a free version while other processes save the same lexicon."""


@dataclass(frozen=True, slots=True)
class LexiconRecord:
    id: UUID
    tenant: str
    name: str
    version: int
    rules: str
    size: int
    unapplied: int
    created_at: datetime

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"

    def read(self) -> list[LexiconRule]:
        return [LexiconRule.model_validate(rule) for rule in json.loads(self.rules)]


_COLUMNS: Final = tuple(getattr(LexiconRow, name) for name in LexiconRecord.__slots__)


def find(connection: Connection, tenant: str, name: str, version: int | None = None) -> LexiconRecord | None:
    """Return a version of a lexicon, or the newest one."""
    if not name.isprintable():
        return None
    found = select(*_COLUMNS).where(LexiconRow.tenant == tenant, LexiconRow.name == name)
    if version is not None:
        found = found.where(LexiconRow.version == version)
    row = connection.execute(found.order_by(LexiconRow.version.desc()).limit(1)).one_or_none()
    return None if row is None else LexiconRecord(*row)


def listed(connection: Connection, tenant: str) -> list[LexiconRecord]:
    """Return the newest version of each lexicon, by name, without its rules."""
    newest = (
        select(LexiconRow.name, func.max(LexiconRow.version).label("version"))
        .where(LexiconRow.tenant == tenant)
        .group_by(LexiconRow.name)
        .subquery()
    )
    columns = [column for column in _COLUMNS if column.key != "rules"]
    rows = connection.execute(
        select(*columns)
        .join(newest, (LexiconRow.name == newest.c.name) & (LexiconRow.version == newest.c.version))
        .where(LexiconRow.tenant == tenant)
        .order_by(LexiconRow.name)
    )
    return [LexiconRecord(**row, rules="[]") for row in rows.mappings()]


def names(connection: Connection, tenant: str) -> list[str]:
    found = select(LexiconRow.name).where(LexiconRow.tenant == tenant).distinct().order_by(LexiconRow.name)
    return list(connection.execute(found).scalars())


def save(
    connection: Connection, tenant: str, name: str, rules: Sequence[LexiconRule], *, now: datetime
) -> LexiconRecord:
    """Make a new version with these rules; the newest one is returned as it is if it has the same."""
    stored = json.dumps([rule.stored() for rule in rules], ensure_ascii=False)
    unapplied = sum(not rule.is_applied for rule in rules)
    for _ in range(SAVES):
        newest = find(connection, tenant, name)
        if newest is not None and newest.rules == stored:
            return newest
        version = 1 if newest is None else newest.version + 1
        record = LexiconRecord(uuid7(), tenant, name, version, stored, len(rules), unapplied, now)
        values = {column: getattr(record, column) for column in LexiconRecord.__slots__}
        added = upserts.insert(connection.dialect.name, LexiconRow).values(values).on_conflict_do_nothing()
        if connection.execute(added.execution_options(preserve_rowcount=True)).rowcount:
            return record
    raise RuntimeError(f"lexicon {name} is saved by {SAVES} other processes at the same time")


def remove(connection: Connection, tenant: str, name: str) -> int:
    """Remove all versions. Jobs that were made by them stay as they are. Returns how many."""
    gone = delete(LexiconRow).where(LexiconRow.tenant == tenant, LexiconRow.name == name)
    return connection.execute(gone).rowcount
