"""API keys: which tenant they belong to, what they permit, and how much. The key itself is never stored.

A key is 256 random bits, so it cannot be guessed, and plain SHA-256 is safe: the slow hashes that passwords need would
only slow down every request.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, insert, select, update
from uuid_utils.compat import uuid7

from api_models.access import Scope
from worker.store.money import limits
from worker.store.states import unfinished_of_key
from worker.store.tables.access import ApiKey
from worker.store.tables.jobs import Job

BEGINNING: Final = "ttsq_"
"""Prefix of every key, so that scanners for leaked secrets recognise it."""
SHOWN_CHARACTERS: Final = 12
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class KeyRecord:
    id: UUID
    tenant: str
    name: str
    prefix: str
    scopes: frozenset[Scope]
    rate: int | None
    budget: Decimal | None
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


_COLUMNS = tuple(getattr(ApiKey, name) for name in KeyRecord.__slots__)
_BY_HASH = select(*_COLUMNS).where(ApiKey.hash == bindparam("hash"), ApiKey.revoked_at.is_(None))


def is_ours(key: str) -> bool:
    """Whether this looks like a key of a gateway, valid or not."""
    return key.startswith(BEGINNING)


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def make(
    connection: Connection,
    *,
    tenant: str,
    name: str,
    scopes: Collection[Scope],
    rate: int | None,
    budget: Decimal | None,
    now: datetime,
) -> tuple[KeyRecord, str]:
    """Create a key. The second value is the key itself, which cannot be retrieved again."""
    key = BEGINNING + secrets.token_urlsafe(KEY_BYTES)
    record = KeyRecord(
        id=uuid7(),
        tenant=tenant,
        name=name,
        prefix=key[:SHOWN_CHARACTERS],
        scopes=frozenset(scopes),
        rate=rate,
        budget=budget,
        created_at=now,
        last_used_at=None,
        revoked_at=None,
    )
    values = {column: getattr(record, column) for column in KeyRecord.__slots__}
    scopes_text = " ".join(sorted(record.scopes))
    connection.execute(insert(ApiKey).values({**values, "scopes": scopes_text, "hash": hashed(key)}))
    return record, key


def by_key(connection: Connection, key: str) -> KeyRecord | None:
    return by_hash(connection, hashed(key))


def by_hash(connection: Connection, key_hash: str) -> KeyRecord | None:
    row = connection.execute(_BY_HASH, {"hash": key_hash}).one_or_none()
    return None if row is None else _record(tuple(row))


def by_id(connection: Connection, key_id: UUID) -> KeyRecord | None:
    """Return a key that is not revoked."""
    row = connection.execute(select(*_COLUMNS).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))).one_or_none()
    return None if row is None else _record(tuple(row))


def is_any(connection: Connection) -> bool:
    return connection.execute(select(ApiKey.id).limit(1)).first() is not None


def listed(connection: Connection, *, tenant: str | None = None) -> list[KeyRecord]:
    query = select(*_COLUMNS).order_by(ApiKey.id)
    if tenant is not None:
        query = query.where(ApiKey.tenant == tenant)
    return [_record(tuple(row)) for row in connection.execute(query)]


def revoke(connection: Connection, key_id: UUID, *, now: datetime) -> bool:
    return (
        connection.execute(
            update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=now)
        ).rowcount
        > 0
    )


def note_use(connection: Connection, key_id: UUID, *, now: datetime) -> None:
    connection.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now))


def used(connection: Connection, key_id: UUID) -> tuple[Decimal, dict[str, int]]:
    """Return the cost of the jobs submitted with a key, and its unfinished jobs by model.

    Calls whose outcome is unknown count at list price.
    """
    rows = connection.execute(
        select(Job.model, func.count()).where(Job.key_id == key_id, unfinished_of_key()).group_by(Job.model)
    ).all()
    limit = limits.of_key(connection, key_id)
    return limit.spent + limit.unclear if limit else Decimal(0), {row[0]: row[1] for row in rows}


def _record(row: tuple[object, ...]) -> KeyRecord:
    values = dict(zip(KeyRecord.__slots__, row, strict=True))
    scopes = frozenset(Scope(word) for word in str(values["scopes"]).split())
    return KeyRecord(**{**values, "scopes": scopes})  # type: ignore[arg-type]
