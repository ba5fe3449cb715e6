"""From what an attempt met to what becomes of its job. Pure: the verdict, the limits and the dice come in."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from api_models.registry import MODELS
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.execution.delays import next_delay
from worker.execution.spool import Receipt
from worker.redaction import redact
from worker.segmind.answers import Answer
from worker.segmind.verdicts import Verdict
from worker.store.transitions.claiming import Claim
from worker.store.transitions.settling import ZERO, Settlement, StoredAudio

NO_RECEIPT: Final = Receipt()
"""What is known of a call that was never made."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How often a job may be tried."""

    max_attempts: int
    max_takes: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost, and how sure that is."""

    amount: Decimal
    estimated: bool


def cost_of(model: str, reported: Decimal | None, *, billed: bool) -> Cost:
    """The reported cost; for a billed call without one, the registry's price, marked as estimated."""
    if reported is not None:
        return Cost(reported, estimated=False)
    known = MODELS.get(model)
    return Cost(known.price, estimated=True) if billed and known is not None else Cost(ZERO, estimated=False)


def unsuccessful(
    claim: Claim, verdict: Verdict, answer: Answer, bounds: Bounds, *, now: datetime, rng: random.Random
) -> Settlement:
    """The settlement of every verdict but success."""
    status, not_before = _next(claim, verdict, bounds, now, rng)
    cost = cost_of(claim.speech.model, answer.cost, billed=verdict.kind is VerdictKind.BAD_TAKE)
    return Settlement(
        status=status,
        verdict=verdict.kind,
        counts=verdict.counts,
        bad_take=verdict.kind is VerdictKind.BAD_TAKE,
        scope=verdict.scope,
        code=verdict.code,
        message=verdict.message,
        detail=verdict.detail,
        not_before=not_before,
        reset_at=verdict.reset_at,
        recover=claim.recover,
        request_id=answer.request_id,
        cost=cost.amount,
        cost_estimated=cost.estimated,
        possibly_billed=verdict.possibly_billed,
        remaining_credits=answer.remaining_credits,
    )


def _next(
    claim: Claim, verdict: Verdict, bounds: Bounds, now: datetime, rng: random.Random
) -> tuple[JobStatus, datetime | None]:
    match verdict.kind:
        case VerdictKind.REFUSED:
            return JobStatus.FAILED, None
        case VerdictKind.GATE | VerdictKind.PACE:
            return JobStatus.QUEUED, None
        case VerdictKind.BAD_TAKE:
            over = claim.takes_used + 1 >= bounds.max_takes or claim.attempts_used >= bounds.max_attempts
            return (JobStatus.FAILED, None) if over else (JobStatus.QUEUED, None)
        case _ if verdict.counts and claim.attempts_used >= bounds.max_attempts:
            return JobStatus.FAILED, None
        case _:
            later = now + timedelta(seconds=next_delay(claim.attempt, rng))
            return JobStatus.SCHEDULED, max(later, verdict.reset_at) if verdict.reset_at else later


def succeeded(claim: Claim, audio: StoredAudio, receipt: Receipt, *, verdict: VerdictKind) -> Settlement:
    """Audio is stored: all that is left is to record it. A copy of what was bought before costs nothing."""
    paid = verdict is VerdictKind.SUCCESS
    cost = cost_of(claim.speech.model, receipt.cost, billed=True) if paid else Cost(ZERO, estimated=False)
    return Settlement(
        status=JobStatus.SUCCEEDED,
        verdict=verdict,
        request_id=receipt.request_id,
        cost=cost.amount,
        cost_estimated=cost.estimated,
        remaining_credits=receipt.remaining_credits,
        audio=audio,
    )


def overtaken(claim: Claim, receipt: Receipt) -> Settlement:
    """The job was given to another worker, or cancelled, before this take could be stored; it is paid all the same."""
    cost = cost_of(claim.speech.model, receipt.cost, billed=True)
    return Settlement(
        status=JobStatus.QUEUED,
        verdict=VerdictKind.LATE,
        counts=False,
        recover=True,
        code="overtaken",
        message="The audio came after the job had been taken away.",
        request_id=receipt.request_id,
        cost=cost.amount,
        cost_estimated=cost.estimated,
        remaining_credits=receipt.remaining_credits,
    )


def crashed(claim: Claim, error: Exception, bounds: Bounds, *, now: datetime, rng: random.Random) -> Settlement:
    """An error that nobody foresaw ended the attempt. It counts, so that a job that always meets it ends."""
    verdict = Verdict(
        VerdictKind.RETRY,
        code="internal_error",
        message="The worker met an error that it doesn't know; its log has more.",
        detail=redact(f"{type(error).__name__}: {error}"),
    )
    return replace(unsuccessful(claim, verdict, Answer(), bounds, now=now, rng=rng), recover=True)


def handed_back(
    *, code: str, message: str, not_before: datetime | None = None, paid: Answer | None = None
) -> Settlement:
    """The worker can't go on with the job, through no fault of the job: it uses up no attempt.

    `paid` is the answer to a call that was made all the same.
    """
    return Settlement(
        status=JobStatus.QUEUED if not_before is None else JobStatus.SCHEDULED,
        verdict=VerdictKind.RELEASED,
        counts=False,
        code=code,
        message=message,
        not_before=not_before,
        recover=True,
        request_id=paid.request_id if paid else None,
        cost=paid.cost if paid and paid.cost is not None else ZERO,
        possibly_billed=paid is not None and paid.sent and paid.cost is None,
    )
