"""The one table that turns what the API answered into what happens next. No other code looks at an HTTP status.

Its first row that fits an answer decides. Sources are the vendor's error table and the reports about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api_models.verdict import GateScope, VerdictKind
from worker.redaction import redact
from worker.segmind.answers import Answer
from worker.segmind.table import TABLE, UNKNOWN, Outcome


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
    )


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
    )


def _message(outcome: Outcome, answer: Answer) -> str:
    if outcome.kind is VerdictKind.SUCCESS:
        return ""
    words = redact(answer.message)
    return f"{outcome.message}: {words}" if words else f"{outcome.message}."


def _detail(answer: Answer) -> str:
    facts = (
        ("status", answer.status),
        ("failure", answer.failure),
        ("request", answer.request_id),
        ("type", answer.content_type),
        ("cost not believed", answer.disbelieved_cost),
        ("said", answer.message),
    )
    return redact("; ".join(f"{name} {value}" for name, value in facts if value not in (None, "")))
