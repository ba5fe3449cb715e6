"""The one table that turns what the API answered into what happens next. No other code looks at an HTTP status.

Its first row that fits an answer decides. Sources are the vendor's error table and the reports about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api_models.verdict import GateScope, VerdictKind
from worker.segmind.answers import Answer
from worker.segmind.verdict_table import TABLE, UNKNOWN, Outcome
from worker.telemetry.redaction import redact


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one answer means."""

    kind: VerdictKind
    code: str
    """Stable, in snake_case: what programs and the operator's filters go by."""
    scope: GateScope | None = None
    """What a gate holds; None for every other kind."""
    message: str = ""
    """For the user: what happened, in plain words, and the API's own."""
    detail: str = ""
    """For the operator: status, failure, request id, the API's words."""
    counts: bool = True
    """Whether an attempt is used up."""
    possibly_billed: bool = False
    """The call may have been paid for, and no answer says whether or how much."""
    reset_at: datetime | None = None
    """The API's own word on when to come back."""
    handle_spent: bool = False
    """v2: the submitted request is of no more use, so the next attempt submits anew; else it polls on."""
    is_take: bool = False
    """The call is paid for, or may be, and brought no good audio: it uses up one of the job's takes."""


def verdict(answer: Answer) -> Verdict:
    """What follows from `answer`. Never raises. Whether audio is acceptable is not judged here; see `bad_take`."""
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
        is_take=outcome.is_take or _is_paid_in_vain(outcome, answer),
    )


def _is_paid_in_vain(outcome: Outcome, answer: Answer) -> bool:
    """Whether a price was named for an answer without audio. A 429 or 402 may name one and not have taken it."""
    is_2xx = answer.status is not None and 200 <= answer.status < 300
    paid = bool(answer.cost) and (is_2xx or outcome.kind is VerdictKind.RETRY)
    return paid and outcome.kind is not VerdictKind.SUCCESS


def bad_take(answer: Answer, finding: str, *, measured: str = "") -> Verdict:
    """The verdict on audio that arrived and was then not accepted.

    `finding` says for people what is wrong with it, `measured` for the operator all that was measured.
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
    """The API's codes and words; JSON that holds no words is left to the detail where a code says more."""
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
