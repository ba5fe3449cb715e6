"""Running to the next state, in one transaction with the attempt's ledger row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, func, insert, select, update

from api_models.status import TERMINAL, JobStatus
from api_models.verdict import GateScope, VerdictKind
from worker.store import upserts
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import billing, event_writer
from worker.store.transitions.billing import Call
from worker.store.transitions.claims import Claim

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class StoredAudio:
    uri: str
    content_type: str
    audio_bytes: int
    sha256: str
    duration_ms: int
    peak_dbfs: float | None = None
    """These three are None if not measured."""
    loudness_lufs: float | None = None
    silence_share: float | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    status: JobStatus
    verdict: VerdictKind
    counts: bool = True
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
    spent_handle: str | None = None
    """A submitted request that can return nothing more: the next attempt does not poll it."""
    call_ms: int | None = None
    """Duration of the API call; None if there was no call."""
    upload_ms: int | None = None
    """Duration of the upload; None if nothing was stored."""
    remark: tuple[str, str] | None = None
    """Code and message for the ledger alone, of an attempt that succeeded."""
    source: int | None = None
    """The earlier attempt whose call returned the audio, if not this one."""


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
        follows=None,
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
        peak_dbfs=bindparam("new_peak_dbfs"),
        loudness_lufs=bindparam("new_loudness_lufs"),
        silence_share=bindparam("new_silence_share"),
        # A late worker may meanwhile have stored another handle than the spent one.
        request_id=func.nullif(Job.request_id, bindparam("spent", type_=Job.request_id.type)),
    )
)
_RECORD = insert(Attempt)
_LEDGER_COLUMNS = [column.key for column in Attempt.__table__.columns]
# One statement, where supported: the ledger row is written exactly if the claim still held the job.
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
)  # SQLAlchemy discards an INSERT's row count otherwise
_LOCK = select(Job.id).where(Job.id == bindparam("job")).with_for_update()
_WRITTEN = select(Attempt.worker_id, Attempt.verdict).where(
    Attempt.job_id == bindparam("job"), Attempt.number == bindparam("number")
)


def settle(connection: Connection, claim: Claim, settlement: Settlement, *, now: datetime) -> bool:
    """End this claim's attempt. Returns False if the job had been taken away: then only the ledger is written.

    Idempotent: repeated after a lost commit response, it changes nothing and returns the same.
    """
    charged_once = _charged_once(connection, claim, settlement) if may_repeat(claim) else settlement
    if settle_at_once(connection, claim, charged_once, now=now):
        if may_repeat(claim):
            _clear_up(connection, claim, settlement)
        _write_events(connection, [(claim, charged_once)], now)
        return True
    if _is_settled(connection, claim):
        return True
    _record_late(connection, claim, settlement, now)
    return False


def _is_settled(connection: Connection, claim: Claim) -> bool:
    """Whether this claim has settled before. Locks the job first, as every settlement does."""
    connection.execute(_LOCK, {"job": claim.job_id})
    written: Any = connection.execute(_WRITTEN, {"job": claim.job_id, "number": claim.attempt}).one_or_none()
    return (
        written is not None
        and written.worker_id == claim.worker_id
        and written.verdict not in {VerdictKind.LOST, VerdictKind.LATE}
    )


def may_repeat(claim: Claim) -> bool:
    """Whether another attempt may deliver, or have delivered, the same result: then only `settle` is safe."""
    return claim.recover or claim.request_id is not None


def settle_at_once(connection: Connection, claim: Claim, settlement: Settlement, *, now: datetime) -> bool:
    """Like `settle`, but write nothing if the job was taken away. On PostgreSQL a single statement.

    Not for jobs with subscribers: their event belongs into the same transaction.
    """
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
    """`settle_at_once` for several attempts, in the caller's transaction.

    Returns None if a job had been taken away and the database does not say which: the caller must roll back and settle
    them one by one.
    """
    if connection.dialect.name != "postgresql":
        found = [settle_at_once(connection, claim, settlement, now=now) for claim, settlement in ended]
        if all(found):
            _write_events(connection, ended, now)
        return found
    in_order = sorted(ended, key=lambda one: one[0].job_id)  # as in `locks`: it waits for a row while holding others
    values = [_changes(claim, settlement, now) | _ledger(claim, settlement, now) for claim, settlement in in_order]
    won = connection.execute(_SETTLE_AND_RECORD, values).rowcount
    if won != len(ended):
        return None
    _write_events(connection, ended, now)
    return [True] * len(ended)


def _write_events(connection: Connection, ended: Sequence[tuple[Claim, Settlement]], now: datetime) -> None:
    finished = [claim.job_id for claim, settlement in ended if claim.has_subscriber and settlement.status in TERMINAL]
    if finished:
        event_writer.ended(connection, finished, now=now)


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
        "new_cached": settlement.verdict is VerdictKind.CACHED and claim.parts is None,
        "new_uri": audio.uri if audio else None,
        "new_content_type": audio.content_type if audio else None,
        "new_audio_bytes": audio.audio_bytes if audio else None,
        "new_sha256": audio.sha256 if audio else None,
        "new_duration_ms": audio.duration_ms if audio else None,
        "new_peak_dbfs": audio.peak_dbfs if audio else None,
        "new_loudness_lufs": audio.loudness_lufs if audio else None,
        "new_silence_share": audio.silence_share if audio else None,
        "spent": settlement.spent_handle,
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
        "code": settlement.code or (settlement.remark and settlement.remark[0]),
        "message": settlement.message or (settlement.remark and settlement.remark[1]),
        "detail": settlement.detail,
        "reset_at": settlement.reset_at,
        "request_id": settlement.request_id,
        "cost": settlement.cost,
        "cost_estimated": settlement.cost_estimated,
        "possibly_billed": settlement.possibly_billed,
        "remaining_credits": settlement.remaining_credits,
        "call_ms": settlement.call_ms,
        "upload_ms": settlement.upload_ms,
        "take_uri": settlement.take_uri,
        "noted": False,
        "text_bytes": len(claim.speech.text.encode("utf-8", "replace")),
    }


def _record_late(connection: Connection, claim: Claim, settlement: Settlement, now: datetime) -> None:
    """Record the cost of an attempt whose job was reassigned or cancelled.

    The rescue may have written this attempt as lost; that row is replaced. A row marked late is this same record,
    committed without a response: it is not charged again.
    """
    charged_once = _charged_once(connection, claim, settlement)
    row = _ledger_row(claim, charged_once, VerdictKind.LATE, now)
    known = {name: value for name, value in row.items() if name not in {"job_id", "number"}}
    written = connection.execute(
        upserts.insert(connection.dialect.name, Attempt)
        .values(row)
        .on_conflict_do_update(
            index_elements=["job_id", "number"], set_=known, where=Attempt.verdict == VerdictKind.LOST
        )
        .execution_options(preserve_rowcount=True)
    ).rowcount
    if written:
        billing.charge(connection, claim.job_id, charged_once.cost)
        _clear_up(connection, claim, settlement)


def _charged_once(connection: Connection, claim: Claim, settlement: Settlement) -> Settlement:
    if settlement.cost and billing.is_charged(connection, _call(claim, settlement)):
        return replace(settlement, cost=ZERO, cost_estimated=False)
    return settlement


def _clear_up(connection: Connection, claim: Claim, settlement: Settlement) -> None:
    if not settlement.possibly_billed and (settlement.cost or settlement.audio or settlement.spent_handle):
        billing.clear_up(connection, _call(claim, settlement))


def _call(claim: Claim, settlement: Settlement) -> Call:
    return Call(claim.job_id, settlement.request_id, settlement.source)


def restate(connection: Connection, job_id: UUID, audio: StoredAudio) -> bool:
    """Record this take for a succeeded job. Returns False if the row has no other take under this URI."""
    return (
        connection.execute(
            update(Job)
            .where(Job.id == job_id, in_state(JobStatus.SUCCEEDED), Job.uri == audio.uri, Job.sha256 != audio.sha256)
            .values(
                content_type=audio.content_type,
                audio_bytes=audio.audio_bytes,
                sha256=audio.sha256,
                duration_ms=audio.duration_ms,
                peak_dbfs=audio.peak_dbfs,
                loudness_lufs=audio.loudness_lufs,
                silence_share=audio.silence_share,
            )
        ).rowcount
        > 0
    )
