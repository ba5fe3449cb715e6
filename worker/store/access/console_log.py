"""The log of actions in the console. It is written in the transaction of the action itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, insert, select
from uuid_utils.compat import uuid7

from worker.store.tables.console import ConsoleAction


@dataclass(frozen=True, slots=True)
class ActionRecord:
    id: UUID
    at: datetime
    tenant: str
    actor: str
    action: str
    subject: str
    detail: str


_COLUMNS = tuple(getattr(ConsoleAction, name) for name in ActionRecord.__slots__)


def note(
    connection: Connection,
    *,
    tenant: str,
    actor: str,
    action: str,
    subject: str = "",
    detail: str = "",
    now: datetime,
) -> None:
    connection.execute(
        insert(ConsoleAction).values(
            id=uuid7(), at=now, tenant=tenant, actor=actor, action=action, subject=subject, detail=detail
        )
    )


def listed(connection: Connection, tenant: str, *, before: UUID | None = None, most: int) -> list[ActionRecord]:
    query = select(*_COLUMNS).where(ConsoleAction.tenant == tenant)
    if before is not None:
        query = query.where(ConsoleAction.id < before)
    return [ActionRecord(*row) for row in connection.execute(query.order_by(ConsoleAction.id.desc()).limit(most))]
