"""Links that sign in to the console once, and the sessions of signed-in browsers.

Tokens are 256 random bits and only their SHA-256 is stored, as for API keys. A link is used by deleting its row, so two
browsers cannot both use it.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from api_models.access import Scope
from worker.store.access.api_keys import KeyRecord, hashed
from worker.store.tables.access import ApiKey
from worker.store.tables.console import ConsoleLink, ConsoleSession

TOKEN_BYTES: Final = 32
LINK_LIFE: Final = timedelta(minutes=15)
SESSION_LIFE: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class SessionRecord:
    hash: str
    tenant: str
    name: str
    scopes: frozenset[Scope]
    read_only: bool
    key_id: UUID | None
    created_at: datetime
    expires_at: datetime


_COLUMNS: Final = tuple(getattr(ConsoleSession, name) for name in SessionRecord.__slots__)
_ONE: Final = (
    select(*_COLUMNS)
    .outerjoin(ApiKey, ApiKey.id == ConsoleSession.key_id)
    .where(
        ConsoleSession.hash == bindparam("hash"),
        ConsoleSession.expires_at > bindparam("now"),
        or_(ConsoleSession.key_id.is_(None), ApiKey.id.is_not(None) & ApiKey.revoked_at.is_(None)),
    )
)


def make_link(
    connection: Connection, *, tenant: str, name: str, scopes: Collection[Scope], read_only: bool, now: datetime
) -> str:
    """Create a link and return its token, which cannot be retrieved again. Expired links are deleted."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    connection.execute(delete(ConsoleLink).where(ConsoleLink.expires_at <= now))
    connection.execute(
        insert(ConsoleLink).values(
            hash=hashed(token),
            tenant=tenant,
            name=name,
            scopes=" ".join(sorted(scopes)),
            read_only=read_only,
            expires_at=now + LINK_LIFE,
        )
    )
    return token


def use_link(connection: Connection, token: str, *, now: datetime) -> tuple[SessionRecord, str] | None:
    """Exchange a link for a session and its token; None if it is unknown, expired or used."""
    which = ConsoleLink.hash == hashed(token)
    row = connection.execute(
        select(ConsoleLink.tenant, ConsoleLink.name, ConsoleLink.scopes, ConsoleLink.read_only).where(
            which, ConsoleLink.expires_at > now
        )
    ).one_or_none()
    if row is None or not connection.execute(delete(ConsoleLink).where(which)).rowcount:
        return None
    return _begin(connection, row.tenant, row.name, row.scopes, read_only=row.read_only, key_id=None, now=now)


def of_key(connection: Connection, key: KeyRecord, *, now: datetime) -> tuple[SessionRecord, str]:
    """Begin a session with the scopes of an API key. It ends when the key is revoked."""
    scopes = " ".join(sorted(key.scopes))
    return _begin(connection, key.tenant, key.name, scopes, read_only=False, key_id=key.id, now=now)


def by_token(connection: Connection, token: str, *, now: datetime) -> SessionRecord | None:
    row = connection.execute(_ONE, {"hash": hashed(token), "now": now}).one_or_none()
    return None if row is None else _record(tuple(row))


def is_current(connection: Connection, record: SessionRecord, *, now: datetime) -> bool:
    """Whether the session would still be admitted: it may have ended during a long response."""
    return connection.execute(_ONE, {"hash": record.hash, "now": now}).one_or_none() is not None


def end(connection: Connection, record: SessionRecord) -> None:
    connection.execute(delete(ConsoleSession).where(ConsoleSession.hash == record.hash))


def _begin(
    connection: Connection,
    tenant: str,
    name: str,
    scopes: str,
    *,
    read_only: bool,
    key_id: UUID | None,
    now: datetime,
) -> tuple[SessionRecord, str]:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = (hashed(token), tenant, name, scopes, read_only, key_id, now, now + SESSION_LIFE)
    connection.execute(delete(ConsoleSession).where(ConsoleSession.expires_at <= now))
    connection.execute(insert(ConsoleSession).values(dict(zip(SessionRecord.__slots__, row, strict=True))))
    return _record(row), token


def _record(row: tuple[Any, ...]) -> SessionRecord:
    values = dict(zip(SessionRecord.__slots__, row, strict=True))
    scopes = frozenset(Scope(word) for word in str(values["scopes"]).split())
    return SessionRecord(**{**values, "scopes": scopes})
