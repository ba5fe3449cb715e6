"""The ledger as the dispatcher reads it: attempts that ended since the last read, each once, charged and counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Integer, String, Uuid, literal_column, select, tuple_, update
from sqlalchemy import text as sql

from api_models.verdict import GateScope, VerdictKind
from worker.store import totals
from worker.store.money import charges
from worker.store.money.charges import Charge
from worker.store.tables.jobs import Attempt

ROWS_PER_POLL = 2_000


@dataclass(frozen=True, slots=True)
class Ended:
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
    possibly_billed: bool
    """No response said whether the call was billed."""
    remaining_credits: Decimal | None
    """US dollars left in the account, if the response said so."""
    key_id: UUID | None = None
    call_ms: int | None = None
    upload_ms: int | None = None
    outcome: str | None = None
    """The job's final state, if this attempt ended it and it is no part of a document."""
    audio_bytes: int | None = None
    """Size of the stored audio, if this attempt ended its job."""


# Literally as in the partial index: SQLAlchemy's `noted = 0` would make SQLite read the whole ledger.
UNNOTED: Final = sql("NOT attempts.noted")
"""The dispatcher has not read the row."""
# As in `locks`: a row that a late worker is rewriting is left to the next read.
_FRESH = (
    select(Attempt.job_id, Attempt.number)
    .where(UNNOTED)
    .order_by(Attempt.finished_at)
    .limit(ROWS_PER_POLL)
    .with_for_update(skip_locked=True)
    .cte("fresh")
)
_ENDED_JOB: Final = "FROM jobs WHERE jobs.id = attempts.job_id AND jobs.attempt = attempts.number"
_OUTCOME: Final = f"""(
    SELECT CASE WHEN coalesce(jobs.part, 0) = 0 AND attempts.verdict <> 'late'
    AND jobs.status IN ('succeeded', 'failed') THEN jobs.status END {_ENDED_JOB}
)"""
_AUDIO_BYTES: Final = f"(SELECT CASE WHEN attempts.verdict <> 'late' THEN jobs.audio_bytes END {_ENDED_JOB})"
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
    # Literal SQL as in `claims`: SQLAlchemy omits the table's name inside RETURNING.
    literal_column("(SELECT jobs.key_id FROM jobs WHERE jobs.id = attempts.job_id)", Uuid).label("key_id"),
    Attempt.call_ms,
    Attempt.upload_ms,
    literal_column(_OUTCOME, String).label("outcome"),
    literal_column(_AUDIO_BYTES, Integer).label("audio_bytes"),
)
_TAKE = (
    update(Attempt)
    .where(tuple_(Attempt.job_id, Attempt.number).in_(select(_FRESH.c.job_id, _FRESH.c.number)))
    .values(noted=True)
    .returning(*_COLUMNS)
)


def take_news(connection: Connection) -> list[Ended]:
    """Return attempts that ended since the last call, oldest first; each once, also across leaders.

    Their cost is added to the counters of their batches, keys and tenants in the same transaction, and so are they to
    the totals.
    """
    news = sorted((_ended(tuple(row)) for row in connection.execute(_TAKE)), key=lambda ended: ended.finished_at)
    charges.add(connection, map(_charge, news))
    totals.add(connection, totals.of_attempts(news))
    return news


def _charge(ended: Ended) -> Charge:
    return Charge(ended.tenant, ended.batch_id, ended.finished_at, ended.cost, ended.key_id)


def _ended(row: tuple[Any, ...]) -> Ended:
    job_id, tenant, batch_id, model, verdict, scope, *rest = row
    return Ended(job_id, tenant, batch_id, model, VerdictKind(verdict), GateScope(scope) if scope else None, *rest)
