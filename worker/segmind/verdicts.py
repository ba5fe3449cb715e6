"""Maps the API's answer to what happens next, by one table. No other code interprets an HTTP status.

The first matching row decides. Sources are the vendor's error table and reports about it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from api_models.verdict import GateScope, VerdictKind
from worker.segmind.answers import Answer
from worker.segmind.verdict_table import TABLE, UNKNOWN, Outcome
from worker.telemetry.redaction import redact

WRONG_ADDRESS: Final = "wrong_address"
"""Code of a gate: the address answers, and not as the API does."""
ADDRESS_HINT: Final = "No call has succeeded yet; check SEGMIND_BASE_URL"


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: VerdictKind
    code: str
    """Stable, in snake_case, for programs and filters."""
    scope: GateScope | None = None
    """What a gate holds; None for every other kind."""
    message: str = ""
    """For users: what happened, and the API's own text."""
    detail: str = ""
    """For operators: status, failure, request id, the API's text."""
    counts: bool = True
    """Whether an attempt is used up."""
    possibly_billed: bool = False
    """The call may have been charged, by an unknown amount."""
    reset_at: datetime | None = None
    """When the API asked to be retried."""
    handle_spent: bool = False
    """v2: the next attempt submits anew instead of polling."""
    unproved: GateScope | None = None
    """What to hold instead while no call of this process has succeeded; see `before_success`."""
    is_take: bool = False
    """A paid, or possibly paid, call without good audio: it uses up one of the job's takes."""


def verdict(answer: Answer) -> Verdict:
    """The verdict on `answer`. Never raises. Doesn't judge audio; see `bad_take`."""
    row = next((row for row in TABLE if row.fits(answer)), None)
    outcome = row.outcome if row else UNKNOWN
    return Verdict(
        kind=outcome.kind,
        code=outcome.code,
        scope=outcome.scope,
        message=_message(outcome, answer),
        detail=_detail(answer),
        counts=outcome.counts,
        possibly_billed=outcome.bill_unknown and answer.sent and answer.cost is None,
        reset_at=answer.reset_at,
        handle_spent=answer.handle_spent,
        unproved=outcome.unproved,
        is_take=outcome.is_take or _is_paid_in_vain(outcome, answer),
    )


def _is_paid_in_vain(outcome: Outcome, answer: Answer) -> bool:
    """Whether an answer without audio was charged. A 429 or 402 may name a cost without charging it."""
    is_2xx = answer.status is not None and 200 <= answer.status < 300
    paid = bool(answer.cost) and (is_2xx or outcome.kind is VerdictKind.RETRY)
    return paid and outcome.kind is not VerdictKind.SUCCESS


def before_success(verdict: Verdict) -> Verdict:
    """The verdict while no call of this process has succeeded: a wrong address holds jobs, and fails none."""
    if verdict.unproved is None:
        return verdict
    known = verdict.kind is VerdictKind.GATE
    return replace(
        verdict,
        kind=VerdictKind.GATE,
        scope=verdict.unproved,
        code=verdict.code if known else WRONG_ADDRESS,
        message=f"{ADDRESS_HINT}: {verdict.message}",
        counts=False,
    )


def bad_take(answer: Answer, finding: str, *, measured: str = "") -> Verdict:
    """The verdict on audio that was not accepted.

    `finding` describes the defect for users, `measured` all measurements for operators.
    """
    return Verdict(
        kind=VerdictKind.BAD_TAKE,
        code="bad_audio",
        message=f"The API returned audio that can't be used: {redact(finding)}",
        detail="; ".join(filter(None, (redact(measured), _detail(answer)))),
        handle_spent=True,
        is_take=True,
    )


def _message(outcome: Outcome, answer: Answer) -> str:
    if outcome.kind is VerdictKind.SUCCESS:
        return ""
    words = redact(_said(answer))
    return f"{outcome.message}: {words}" if words else f"{outcome.message}."


def _said(answer: Answer) -> str:
    """The API's codes and text; JSON without a message is omitted if there is a code."""
    named = [code for code in answer.codes if code not in answer.message]
    if answer.codes and answer.message[:1] in {"{", "["}:
        return ": ".join(answer.codes)
    return ": ".join(filter(None, [*named, answer.message]))


def _detail(answer: Answer) -> str:
    facts = (
        ("status", answer.status),
        ("failure", answer.failure),
        ("request", answer.request_id),
        ("type", answer.content_type),
        ("cost not believed", answer.disbelieved_cost),
        ("codes", ", ".join(answer.codes)),
        ("said", answer.message),
    )
    return redact("; ".join(f"{name} {value}" for name, value in facts if value not in (None, "")))
