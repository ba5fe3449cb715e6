"""The ledger as the dispatcher reads it: what has ended since the last look, each row once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy import text as sql

from api_models.verdict import GateScope, VerdictKind
from worker.store.tables import Attempt

ROWS_A_LOOK = 2_000


@dataclass(frozen=True, slots=True)
class Ended:
    """One attempt that ended, as far as pace and gates care."""

    model: str
    verdict: VerdictKind
    scope: GateScope | None
    code: str | None
    message: str | None
    reset_at: datetime | None
    started_at: datetime
    finished_at: datetime


# Written out as in the partial index: SQLAlchemy would say `noted = 0` to SQLite, which then reads the whole ledger.
_UNNOTED = sql("NOT attempts.noted")
_FRESH = select(Attempt.job_id).where(_UNNOTED).order_by(Attempt.finished_at).limit(ROWS_A_LOOK)


def take_news(connection: Connection) -> list[Ended]:
    """Attempts that ended since the last look, oldest first; each is handed out once, even over a change of leader."""
    jobs: set[UUID] = set(connection.execute(_FRESH).scalars())
    if not jobs:
        return []
    rows = connection.execute(
        update(Attempt)
        .where(Attempt.job_id.in_(jobs), _UNNOTED)
        .values(noted=True)
        .returning(
            Attempt.model,
            Attempt.verdict,
            Attempt.scope,
            Attempt.code,
            Attempt.message,
            Attempt.reset_at,
            Attempt.started_at,
            Attempt.finished_at,
        )
    )
    return sorted((_ended(tuple(row)) for row in rows), key=lambda ended: ended.finished_at)


def _ended(row: tuple[Any, ...]) -> Ended:
    model, verdict, scope, *rest = row
    return Ended(model, VerdictKind(verdict), GateScope(scope) if scope else None, *rest)
