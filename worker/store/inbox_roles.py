"""Roles of PostgreSQL that may submit by `ttsq_submit`, the tenants of each, and what else they can do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, select, text

from worker.store import upserts
from worker.store.tables.base import Base
from worker.store.tables.inbox import InboxProducer

_EXISTS: Final = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
_STATEMENTS: Final = text(
    "SELECT format('GRANT USAGE ON SCHEMA %I TO %I', nspname, CAST(:role AS text)),"
    " format('GRANT EXECUTE ON FUNCTION %I.ttsq_submit(jsonb) TO %I', nspname, CAST(:role AS text)),"
    " format('REVOKE EXECUTE ON FUNCTION %I.ttsq_submit(jsonb) FROM %I', nspname, CAST(:role AS text))"
    " FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace"
    " WHERE pg_proc.oid = CAST('ttsq_submit(jsonb)' AS regprocedure)"
)
_MAY_CALL: Final = text("SELECT has_function_privilege(:role, 'ttsq_submit(jsonb)', 'EXECUTE')")
_OTHER_RIGHTS: Final = text(
    "SELECT privilege || ' on ' || name FROM unnest(CAST(:tables AS text[])) AS name"
    " CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege"
    " WHERE to_regclass(name) IS NOT NULL AND has_table_privilege(:role, to_regclass(name), privilege) ORDER BY 1"
)


def exists(connection: Connection, role: str) -> bool:
    return connection.execute(_EXISTS, {"role": role}).first() is not None


def grant(connection: Connection, role: str, tenants: Sequence[str]) -> None:
    """Let a role submit for these tenants. It also needs the rights of `statements`."""
    rows = [{"role": role, "tenant": tenant} for tenant in tenants]
    connection.execute(upserts.insert(connection.dialect.name, InboxProducer).on_conflict_do_nothing(), rows)


def revoke(connection: Connection, role: str, tenants: Sequence[str]) -> int:
    """Take tenants from a role, or all if none is named. Returns how many it had of them."""
    which = InboxProducer.role == role
    if tenants:
        which &= InboxProducer.tenant.in_(tenants)
    return connection.execute(delete(InboxProducer).where(which)).rowcount


def tenants_of(connection: Connection, role: str) -> list[str]:
    return [tenant for one, tenant in producers(connection) if one == role]


def producers(connection: Connection) -> list[tuple[str, str]]:
    """Return every role with each of its tenants."""
    query = select(InboxProducer.role, InboxProducer.tenant).order_by(InboxProducer.role, InboxProducer.tenant)
    return [(role, tenant) for role, tenant in connection.execute(query)]


def statements(connection: Connection, role: str) -> tuple[list[str], list[str]]:
    """Return the SQL that grants a role the use of the function, and the SQL that revokes it."""
    usage, execute, withdraw = connection.execute(_STATEMENTS, {"role": role}).one()
    return [usage, execute], [withdraw]


def may_call(connection: Connection, role: str) -> bool:
    return bool(connection.execute(_MAY_CALL, {"role": role}).scalar())


def other_rights(connection: Connection, role: str) -> list[str]:
    """Return what the role can do with the queue's tables; a producer needs none of it."""
    tables = sorted(Base.metadata.tables)
    return list(connection.execute(_OTHER_RIGHTS, {"role": role, "tables": tables}).scalars())
