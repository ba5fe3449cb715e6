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
from worker.execution.backoff import next_delay
from worker.execution.spool import Receipt
from worker.segmind import account
from worker.segmind.answers import Answer
from worker.segmind.verdicts import Verdict
from worker.store.transitions.claims import Claim
from worker.store.transitions.followers import COPY_GONE
from worker.store.transitions.settlement import ZERO, Settlement, StoredAudio
from worker.telemetry.redaction import redact

NO_RECEIPT: Final = Receipt()
"""What is known of a call that was never made."""


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """How often a job may be tried."""

    max_attempts: int
    max_takes: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost, and how sure that is."""

    amount: Decimal
    estimated: bool


@dataclass(frozen=True, slots=True)
class Bill:
    """What an attempt owes for its call, where it ends before the call's outcome could be settled."""

    cost: Cost = Cost(ZERO, estimated=False)
    request_id: str | None = None
    possibly_billed: bool = False
    remaining_credits: Decimal | None = None


NO_BILL: Final = Bill()


def bill_for(model: str, receipt: Receipt) -> Bill:
    """The audio is here, so it is paid for."""
    cost = cost_of(model, receipt.cost, billed=True)
    return Bill(cost, receipt.request_id, remaining_credits=receipt.remaining_credits)


def bill_so_far(answer: Answer, *, followed: bool) -> Bill:
    """A call of which only so much is known. What is followed by its handle is paid for by whoever ends it."""
    cost = Cost(answer.cost or ZERO, estimated=False)
    unclear = answer.sent and answer.cost is None and not followed
    return Bill(cost, answer.request_id, unclear, answer.remaining_credits)


def cost_of(model: str, reported: Decimal | None, *, billed: bool) -> Cost:
    """The reported cost; for a billed call without one, the registry's price, marked as estimated."""
    if reported is not None:
        return Cost(reported, estimated=False)
    known = MODELS.get(model)
    return Cost(known.price, estimated=True) if billed and known is not None else Cost(ZERO, estimated=False)


def unsuccessful(
    claim: Claim,
    verdict: Verdict,
    answer: Answer,
    bounds: AttemptLimits,
    *,
    handle: str | None = None,
    now: datetime,
    rng: random.Random,
) -> Settlement:
    """The settlement of every verdict but success. `handle` is what the job's row names as submitted (v2)."""
    followed = handle is not None and not verdict.handle_spent
    is_take = verdict.kind is VerdictKind.BAD_TAKE or (verdict.is_take and not followed)
    status, not_before = _next(claim, verdict, bounds, now, rng, is_take=is_take)
    cost = cost_of(claim.speech.model, answer.cost, billed=verdict.kind is VerdictKind.BAD_TAKE)
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
        # What the next attempt will ask after is in no doubt, unless there is no next one.
        possibly_billed=status is JobStatus.FAILED if followed else verdict.possibly_billed,
        remaining_credits=answer.remaining_credits,
        spent_handle=answer.request_id if verdict.handle_spent else None,
    )


def _next(
    claim: Claim, verdict: Verdict, bounds: AttemptLimits, now: datetime, rng: random.Random, *, is_take: bool
) -> tuple[JobStatus, datetime | None]:
    match verdict.kind:
        case VerdictKind.REFUSED:
            return JobStatus.FAILED, None
        case _ if is_take and claim.takes_used + 1 >= bounds.max_takes:
            return JobStatus.FAILED, None
        case VerdictKind.GATE | VerdictKind.PACE | VerdictKind.RELEASED:
            return JobStatus.QUEUED, None
        case VerdictKind.BAD_TAKE:
            return (JobStatus.FAILED if claim.attempts_used >= bounds.max_attempts else JobStatus.QUEUED), None
        case _ if verdict.counts and claim.attempts_used >= bounds.max_attempts:
            return JobStatus.FAILED, None
        case _:
            later = now + timedelta(seconds=next_delay(claim.attempt, rng))
            return JobStatus.SCHEDULED, max(later, verdict.reset_at) if verdict.reset_at else later


def succeeded(
    claim: Claim, audio: StoredAudio, receipt: Receipt, *, verdict: VerdictKind, source: int | None = None
) -> Settlement:
    """Audio is stored: all that is left is to record it. A copy of what was bought before costs nothing.

    `source` is the earlier attempt that bought it, if one did.
    """
    paid = verdict is VerdictKind.SUCCESS
    cost = cost_of(claim.speech.model, receipt.cost, billed=True) if paid else Cost(ZERO, estimated=False)
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
    """There is nothing to copy any more, and this job was not sent to buy: the dispatcher elects the one that is."""
    return Settlement(
        status=JobStatus.QUEUED,
        verdict=VerdictKind.RELEASED,
        counts=False,
        recover=claim.recover,
        code=COPY_GONE,
        message="The audio to copy is gone; one of the jobs that want it will buy it again.",
    )


def _doubt(receipt: Receipt) -> str | None:
    if not receipt.disbelieved_cost:
        return None
    return f"The API named a cost of {receipt.disbelieved_cost}, which no call has; the list price stands in."


def overtaken(claim: Claim, receipt: Receipt) -> Settlement:
    """The job was given to another worker, or cancelled, before this take could be stored; it is paid all the same."""
    bill = bill_for(claim.speech.model, receipt)
    return Settlement(
        status=JobStatus.QUEUED,
        verdict=VerdictKind.LATE,
        counts=False,
        recover=True,
        code="overtaken",
        message="The audio came after the job had been taken away.",
        request_id=bill.request_id,
        cost=bill.cost.amount,
        cost_estimated=bill.cost.estimated,
        remaining_credits=bill.remaining_credits,
    )


def crashed(
    claim: Claim,
    error: Exception,
    bounds: AttemptLimits,
    *,
    bill: Bill = NO_BILL,
    handle: str | None = None,
    now: datetime,
    rng: random.Random,
) -> Settlement:
    """An error that nobody foresaw ended the attempt. It counts, so that a job that always meets it ends."""
    verdict = Verdict(
        VerdictKind.RETRY,
        code="internal_error",
        message="The worker met an error that it doesn't know; its log has more.",
        detail=redact(f"{type(error).__name__}: {error}"),
        possibly_billed=bill.possibly_billed,
    )
    known = Answer(request_id=bill.request_id, remaining_credits=bill.remaining_credits)
    settlement = unsuccessful(claim, verdict, known, bounds, handle=handle, now=now, rng=rng)
    return replace(settlement, recover=True, cost=bill.cost.amount, cost_estimated=bill.cost.estimated)


def unstorable(claim: Claim, settlement: Settlement, error: BaseException) -> Settlement:
    """A settlement that can't be stored, as one that can: the job fails, and its call keeps a cost.

    The answer stays in the spool, where a retry finds it.
    """
    known = account.credible(settlement.cost)
    is_paid = settlement.cost != ZERO or settlement.audio is not None
    cost = cost_of(claim.speech.model, known or None, billed=is_paid)
    return Settlement(
        status=JobStatus.FAILED,
        verdict=VerdictKind.RETRY,
        code="internal_error",
        message="What came of this attempt can't be stored; the worker's log has more.",
        detail=redact(f"{type(error).__name__}: {error}"),
        recover=True,
        cost=cost.amount,
        cost_estimated=cost.estimated or settlement.cost_estimated,
        possibly_billed=settlement.possibly_billed,
    )


def released(*, code: str, message: str, not_before: datetime | None = None, bill: Bill = NO_BILL) -> Settlement:
    """The worker can't go on with the job, through no fault of the job: it uses up no attempt.

    `bill` is for a call that was made all the same.
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
