"""Turns an attempt's outcome into a settlement of its job. Pure: limits, clock and randomness are arguments."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from api_models.registry import MODELS
from api_models.speech_model import TYPICAL_CHARACTERS
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.execution.spool import Receipt
from worker.segmind import account
from worker.segmind.answers import Answer
from worker.segmind.verdicts import Verdict
from worker.store.transitions.claims import Claim
from worker.store.transitions.followers import COPY_GONE
from worker.store.transitions.settlement import ZERO, Settlement, StoredAudio
from worker.telemetry.redaction import redact

NO_RECEIPT: Final = Receipt()
"""For attempts without a call."""


FIRST_SECONDS: Final = 2.0
CAP_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """How often a job may be tried."""

    max_attempts: int
    max_takes: int


@dataclass(frozen=True, slots=True)
class Cost:
    """In US dollars."""

    amount: Decimal
    estimated: bool


@dataclass(frozen=True, slots=True)
class Bill:
    """What an attempt owes when it ends before its call was settled."""

    cost: Cost = Cost(ZERO, estimated=False)
    request_id: str | None = None
    possibly_billed: bool = False
    remaining_credits: Decimal | None = None


NO_BILL: Final = Bill()


def bill_for(model: str, receipt: Receipt) -> Bill:
    """The bill of a call whose audio arrived."""
    cost = cost_of(model, receipt.cost, billed=True)
    return Bill(cost, receipt.request_id, remaining_credits=receipt.remaining_credits)


def bill_so_far(answer: Answer, *, followed: bool) -> Bill:
    """The bill of an incomplete call. A followed request is billed to the attempt that finishes it."""
    cost = Cost(answer.cost or ZERO, estimated=False)
    unclear = answer.sent and answer.cost is None and not followed
    return Bill(cost, answer.request_id, unclear, answer.remaining_credits)


def cost_of(model: str, reported: Decimal | None, *, billed: bool, characters: int = TYPICAL_CHARACTERS) -> Cost:
    """The reported cost; for a billed call without one, the list price of the day, marked as estimated."""
    if reported is not None:
        return Cost(reported, estimated=False)
    known = billed and model in MODELS
    return Cost(MODELS.price_of(model, characters), estimated=True) if known else Cost(ZERO, estimated=False)


def _cost_for(claim: Claim, reported: Decimal | None, *, billed: bool) -> Cost:
    return cost_of(claim.speech.model, reported, billed=billed, characters=len(claim.speech.text))


def unsuccessful(
    claim: Claim,
    verdict: Verdict,
    answer: Answer,
    limits: AttemptLimits,
    *,
    handle: str | None = None,
    now: datetime,
    rng: random.Random,
) -> Settlement:
    """The settlement of every verdict except success. `handle` is the submitted request in the job's row (v2)."""
    followed = handle is not None and not verdict.handle_spent
    is_take = verdict.kind is VerdictKind.BAD_TAKE or (verdict.is_take and not followed)
    status, not_before = _next(claim, verdict, limits, now, rng, is_take=is_take)
    cost = _cost_for(claim, answer.cost, billed=verdict.kind is VerdictKind.BAD_TAKE)
    return Settlement(
        status=status,
        verdict=verdict.kind,
        counts=verdict.counts,
        bad_take=is_take,
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
        # The next attempt learns the cost of a followed request, unless there is none.
        possibly_billed=status is JobStatus.FAILED if followed else verdict.possibly_billed,
        remaining_credits=answer.remaining_credits,
        spent_handle=answer.request_id if verdict.handle_spent else None,
    )


def _next(
    claim: Claim, verdict: Verdict, limits: AttemptLimits, now: datetime, rng: random.Random, *, is_take: bool
) -> tuple[JobStatus, datetime | None]:
    match verdict.kind:
        case VerdictKind.REFUSED:
            return JobStatus.FAILED, None
        case _ if is_take and claim.takes_used + 1 >= limits.max_takes:
            return JobStatus.FAILED, None
        case VerdictKind.GATE | VerdictKind.PACE | VerdictKind.RELEASED:
            return JobStatus.QUEUED, None
        case VerdictKind.BAD_TAKE:
            return (JobStatus.FAILED if claim.attempts_used >= limits.max_attempts else JobStatus.QUEUED), None
        case _ if verdict.counts and claim.attempts_used >= limits.max_attempts:
            return JobStatus.FAILED, None
        case _:
            later = now + timedelta(seconds=next_delay(claim.attempt, rng))
            return JobStatus.SCHEDULED, max(later, verdict.reset_at) if verdict.reset_at else later


def succeeded(
    claim: Claim, audio: StoredAudio, receipt: Receipt, *, verdict: VerdictKind, source: int | None = None
) -> Settlement:
    """The settlement of stored audio. Copies cost nothing.

    `source` is the earlier attempt that bought the audio, if any.
    """
    paid = verdict is VerdictKind.SUCCESS
    cost = _cost_for(claim, receipt.cost, billed=True) if paid else Cost(ZERO, estimated=False)
    return Settlement(
        status=JobStatus.SUCCEEDED,
        verdict=verdict,
        detail=_doubt(receipt) if paid else None,
        request_id=receipt.request_id,
        cost=cost.amount,
        cost_estimated=cost.estimated,
        remaining_credits=receipt.remaining_credits,
        audio=audio,
        spent_handle=receipt.request_id,
        source=source,
    )


def copy_gone(claim: Claim) -> Settlement:
    """The audio to copy is gone; the dispatcher chooses which of the waiting jobs buys it."""
    return Settlement(
        status=JobStatus.QUEUED,
        verdict=VerdictKind.RELEASED,
        counts=False,
        recover=claim.recover,
        code=COPY_GONE,
        message="The audio to copy is gone; one of the jobs that need it will buy it again.",
    )


def _doubt(receipt: Receipt) -> str | None:
    if not receipt.disbelieved_cost:
        return None
    return f"The API reported an implausible cost of {receipt.disbelieved_cost}; the list price is used instead."


def overtaken(claim: Claim, receipt: Receipt) -> Settlement:
    """Another worker got the job, or it was cancelled, before this take could be stored; the call is billed anyway."""
    bill = bill_for(claim.speech.model, receipt)
    return Settlement(
        status=JobStatus.QUEUED,
        verdict=VerdictKind.LATE,
        counts=False,
        recover=True,
        code="overtaken",
        message="The audio arrived after the job was taken over or cancelled.",
        request_id=bill.request_id,
        cost=bill.cost.amount,
        cost_estimated=bill.cost.estimated,
        remaining_credits=bill.remaining_credits,
    )


def crashed(
    claim: Claim,
    error: Exception,
    limits: AttemptLimits,
    *,
    bill: Bill = NO_BILL,
    handle: str | None = None,
    now: datetime,
    rng: random.Random,
) -> Settlement:
    """The settlement of an unexpected error. It counts as an attempt, so that a job that always fails ends."""
    verdict = Verdict(
        VerdictKind.RETRY,
        code="internal_error",
        message="The worker failed with an unexpected error; see its log.",
        detail=redact(f"{type(error).__name__}: {error}"),
        possibly_billed=bill.possibly_billed,
    )
    known = Answer(request_id=bill.request_id, remaining_credits=bill.remaining_credits)
    settlement = unsuccessful(claim, verdict, known, limits, handle=handle, now=now, rng=rng)
    return replace(settlement, recover=True, cost=bill.cost.amount, cost_estimated=bill.cost.estimated)


def unstorable(claim: Claim, settlement: Settlement, error: BaseException) -> Settlement:
    """A storable replacement for a settlement that can't be stored: the job fails, and its call keeps a cost.

    The answer stays in the spool, where a retry finds it.
    """
    known = account.credible(settlement.cost)
    is_paid = settlement.cost != ZERO or settlement.audio is not None
    cost = _cost_for(claim, known or None, billed=is_paid)
    return Settlement(
        status=JobStatus.FAILED,
        verdict=VerdictKind.RETRY,
        code="internal_error",
        message="The outcome of this attempt can't be stored; see the worker's log.",
        detail=redact(f"{type(error).__name__}: {error}"),
        recover=True,
        cost=cost.amount,
        cost_estimated=cost.estimated or settlement.cost_estimated,
        possibly_billed=settlement.possibly_billed,
    )


def released(*, code: str, message: str, not_before: datetime | None = None, bill: Bill = NO_BILL) -> Settlement:
    """The worker can't continue, through no fault of the job: no attempt is used up.

    `bill` covers a call that was made all the same.
    """
    return Settlement(
        status=JobStatus.QUEUED if not_before is None else JobStatus.SCHEDULED,
        verdict=VerdictKind.RELEASED,
        counts=False,
        code=code,
        message=message,
        not_before=not_before,
        recover=True,
        request_id=bill.request_id,
        cost=bill.cost.amount,
        cost_estimated=bill.cost.estimated,
        possibly_billed=bill.possibly_billed,
        remaining_credits=bill.remaining_credits,
    )


def next_delay(tries: int, rng: random.Random) -> float:
    """Seconds before the next try: exponential with full jitter, at most five minutes.

    Full jitter spreads retries evenly, so that jobs that failed together don't come back together.
    """
    return rng.uniform(0, min(CAP_SECONDS, FIRST_SECONDS * 2.0 ** min(tries, 20)))
