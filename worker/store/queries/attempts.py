"""The ledger as the dispatcher reads it: what has ended since the last look, each row once, charged as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Uuid, literal_column, select, tuple_, update
from sqlalchemy import text as sql

from api_models.verdict import GateScope, VerdictKind
from worker.store.money import charges
from worker.store.money.charges import Charge
from worker.store.tables.jobs import Attempt

ROWS_PER_POLL = 2_000


@dataclass(frozen=True, slots=True)
class Ended:
    """One attempt that ended, as far as pace, gates and budgets care."""

    job_id: UUID
    tenant: str
    batch_id: UUID | None
    model: str
    verdict: VerdictKind
    scope: GateScope | None
    code: str | None
    message: str | None
    reset_at: datetime | None
    started_at: datetime
    finished_at: datetime
    cost: Decimal
    """US dollars."""
    possibly_billed: bool
    """No answer said whether the call was paid for."""
    remaining_credits: Decimal | None
    """US dollars left in the account, where its answer said so."""
    key_id: UUID | None = None
    """The API key that its job was submitted with."""


# Written out as in the partial index: SQLAlchemy would say `noted = 0` to SQLite, which then reads the whole ledger.
UNNOTED: Final = sql("NOT attempts.noted")
"""The condition that the dispatcher hasn't read a row yet."""
# As in `locks`: a row that a late worker is writing anew just now is left to the next look.
_FRESH = (
    select(Attempt.job_id, Attempt.number)
    .where(UNNOTED)
    .order_by(Attempt.finished_at)
    .limit(ROWS_PER_POLL)
    .with_for_update(skip_locked=True)
    .cte("fresh")
)
_COLUMNS = (
    Attempt.job_id,
    Attempt.tenant,
    Attempt.batch_id,
    Attempt.model,
    Attempt.verdict,
    Attempt.scope,
    Attempt.code,
    Attempt.message,
    Attempt.reset_at,
    Attempt.started_at,
    Attempt.finished_at,
    Attempt.cost,
    Attempt.possibly_billed,
    Attempt.remaining_credits,
    # Written out as in `claiming`: SQLAlchemy leaves the table's name off inside RETURNING.
    literal_column("(SELECT jobs.key_id FROM jobs WHERE jobs.id = attempts.job_id)", Uuid).label("key_id"),
)
_TAKE = (
    update(Attempt)
    .where(tuple_(Attempt.job_id, Attempt.number).in_(select(_FRESH.c.job_id, _FRESH.c.number)))
    .values(noted=True)
    .returning(*_COLUMNS)
)


def take_news(connection: Connection) -> list[Ended]:
    """Attempts that ended since the last look, oldest first; each is handed out once, even over a change of leader.

    What they cost is added to what their batches, keys and tenants have spent, in the same transaction.
    """
    news = sorted((_ended(tuple(row)) for row in connection.execute(_TAKE)), key=lambda ended: ended.finished_at)
    charges.add(connection, map(_charge, news))
    return news


def _charge(ended: Ended) -> Charge:
    return Charge(ended.tenant, ended.batch_id, ended.finished_at, ended.cost, ended.key_id)


def _ended(row: tuple[Any, ...]) -> Ended:
    job_id, tenant, batch_id, model, verdict, scope, *rest = row
    return Ended(job_id, tenant, batch_id, model, VerdictKind(verdict), GateScope(scope) if scope else None, *rest)
