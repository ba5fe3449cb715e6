"""Running to whatever comes next, in one transaction with the attempt's row in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from api_models.status import TERMINAL, JobStatus
from api_models.verdict import GateScope, VerdictKind
from worker.store.states import in_state
from worker.store.tables import Attempt, Job
from worker.store.transitions.claiming import Claim

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class StoredAudio:
    """The object that ends a job well: what is actually stored, not what was meant to be."""

    uri: str
    content_type: str
    audio_bytes: int
    sha256: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt ended and what becomes of its job."""

    status: JobStatus
    verdict: VerdictKind
    counts: bool = True
    """Whether the attempt uses up one of the job's attempts."""
    bad_take: bool = False
    scope: GateScope | None = None
    code: str | None = None
    message: str | None = None
    detail: str | None = None
    not_before: datetime | None = None
    reset_at: datetime | None = None
    recover: bool = False
    request_id: str | None = None
    cost: Decimal = ZERO
    cost_estimated: bool = False
    possibly_billed: bool = False
    remaining_credits: Decimal | None = None
    audio: StoredAudio | None = None
    take_uri: str | None = None


_SETTLE = (
    update(Job)
    .where(Job.id == bindparam("job"), in_state(JobStatus.RUNNING), Job.attempt == bindparam("number"))
    .values(
        status=bindparam("new_status"),
        attempts_used=Job.attempts_used - bindparam("uncounted"),
        takes_used=Job.takes_used + bindparam("bad_takes"),
        recover=bindparam("new_recover"),
        not_before=bindparam("new_not_before"),
        finished_at=bindparam("new_finished_at"),
        worker_id=None,
        code=bindparam("new_code"),
        message=bindparam("new_message"),
        detail=bindparam("new_detail"),
        cost=Job.cost + bindparam("paid", type_=Job.cost.type),
        cached=bindparam("new_cached"),
        uri=bindparam("new_uri"),
        content_type=bindparam("new_content_type"),
        audio_bytes=bindparam("new_audio_bytes"),
        sha256=bindparam("new_sha256"),
        duration_ms=bindparam("new_duration_ms"),
    )
)
_RECORD = insert(Attempt)
_LEDGER_COLUMNS = [column.key for column in Attempt.__table__.columns]
# Both in one statement, for a database that can: the ledger's row is written exactly if the job was still this claim's.
_WON = _SETTLE.returning(Job.id).cte("won")
_SETTLE_AND_RECORD = (
    insert(Attempt)
    .from_select(
        _LEDGER_COLUMNS,
        select(*(bindparam(f"ledger_{column.key}", type_=column.type) for column in Attempt.__table__.columns)).where(
            select(_WON.c.id).exists()
        ),
    )
    .execution_options(preserve_rowcount=True)
)  # an INSERT's count is thrown away otherwise
_CHARGE = update(Job).where(Job.id == bindparam("job")).values(cost=Job.cost + bindparam("paid", type_=Job.cost.type))


def settle(connection: Connection, claim: Claim, settlement: Settlement, *, now: datetime) -> bool:
    """End this claim's attempt. False when the job had already been taken away: then only the ledger is written."""
    if settle_at_once(connection, claim, settlement, now=now):
        return True
    _record_late(connection, claim, settlement, now)
    return False


def settle_at_once(connection: Connection, claim: Claim, settlement: Settlement, *, now: datetime) -> bool:
    """As `settle`, but for a job that was taken away nothing is written. On PostgreSQL it is a single statement."""
    changes = _changes(claim, settlement, now)
    if connection.dialect.name == "postgresql":
        return connection.execute(_SETTLE_AND_RECORD, changes | _ledger(claim, settlement, now)).rowcount > 0
    row = _ledger_row(claim, settlement, settlement.verdict, now)
    if not connection.execute(_SETTLE, changes).rowcount:
        return False
    connection.execute(_RECORD, row)
    return True


def settle_all_at_once(
    connection: Connection, ended: Sequence[tuple[Claim, Settlement]], *, now: datetime
) -> list[bool] | None:
    """`settle_at_once` for several attempts, in a transaction of the caller's.

    None where a job of them had been taken away and the database doesn't tell which: then the caller must roll back
    and settle them one by one.
    """
    if connection.dialect.name != "postgresql":
        return [settle_at_once(connection, claim, settlement, now=now) for claim, settlement in ended]
    values = [_changes(claim, settlement, now) | _ledger(claim, settlement, now) for claim, settlement in ended]
    won = connection.execute(_SETTLE_AND_RECORD, values).rowcount
    return [True] * len(ended) if won == len(ended) else None


def _ledger(claim: Claim, settlement: Settlement, now: datetime) -> dict[str, Any]:
    row = _ledger_row(claim, settlement, settlement.verdict, now)
    return {f"ledger_{name}": value for name, value in row.items()}


def _changes(claim: Claim, settlement: Settlement, now: datetime) -> dict[str, Any]:
    ends = settlement.status in TERMINAL
    audio = settlement.audio
    return {
        "job": claim.job_id,
        "number": claim.attempt,
        "new_status": settlement.status,
        "uncounted": 0 if settlement.counts else 1,
        "bad_takes": 1 if settlement.bad_take else 0,
        "new_recover": settlement.recover,
        "new_not_before": settlement.not_before,
        "new_finished_at": now if ends else None,
        "new_code": settlement.code,
        "new_message": settlement.message,
        "new_detail": settlement.detail,
        "paid": settlement.cost,
        "new_cached": settlement.verdict is VerdictKind.CACHED,
        "new_uri": audio.uri if audio else None,
        "new_content_type": audio.content_type if audio else None,
        "new_audio_bytes": audio.audio_bytes if audio else None,
        "new_sha256": audio.sha256 if audio else None,
        "new_duration_ms": audio.duration_ms if audio else None,
    }


def _ledger_row(claim: Claim, settlement: Settlement, verdict: VerdictKind, now: datetime) -> dict[str, Any]:
    return {
        "job_id": claim.job_id,
        "number": claim.attempt,
        "tenant": claim.tenant,
        "batch_id": claim.batch_id,
        "worker_id": claim.worker_id,
        "model": claim.speech.model,
        "started_at": claim.started_at,
        "finished_at": now,
        "verdict": verdict,
        "scope": settlement.scope,
        "code": settlement.code,
        "message": settlement.message,
        "detail": settlement.detail,
        "reset_at": settlement.reset_at,
        "request_id": settlement.request_id,
        "cost": settlement.cost,
        "cost_estimated": settlement.cost_estimated,
        "possibly_billed": settlement.possibly_billed,
        "remaining_credits": settlement.remaining_credits,
        "take_uri": settlement.take_uri,
        "noted": False,
    }


def _record_late(connection: Connection, claim: Claim, settlement: Settlement, now: datetime) -> None:
    """The job went to someone else or was cancelled; what this attempt cost is owed all the same.

    The rescue may have written this attempt's row as lost: then its guess is replaced by what is known now. Any other
    row is this very record, whose commit went through though nobody heard of it: it is not charged again.
    """
    row = _ledger_row(claim, settlement, VerdictKind.LATE, now)
    known = {name: value for name, value in row.items() if name not in {"job_id", "number"}}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    written = connection.execute(
        dialect.insert(Attempt)
        .values(row)
        .on_conflict_do_update(
            index_elements=["job_id", "number"], set_=known, where=Attempt.verdict == VerdictKind.LOST
        )
        .execution_options(preserve_rowcount=True)
    ).rowcount
    if written and settlement.cost:
        connection.execute(_CHARGE, {"job": claim.job_id, "paid": settlement.cost})
