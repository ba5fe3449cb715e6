"""One v2 reply as a value: run status, handle, cost and output. Fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from worker.segmind import account
from worker.segmind.answers import Answer
from worker.segmind.documents import Inline, Link, find_audio


class Stage(StrEnum):
    """The run status in a reply."""

    RUNNING = "running"
    """Queued, running, or in an unknown state."""
    COMPLETED = "completed"
    """Finished; the output is here or can be fetched."""
    FAILED = "failed"
    """Finished without output."""
    REFUSED = "refused"
    """Unknown: the reply is an error."""


_STAGES: Final = {
    "QUEUED": Stage.RUNNING,
    "PROCESSING": Stage.RUNNING,
    "COMPLETED": Stage.COMPLETED,
    "FAILED": Stage.FAILED,
}
"""The vendor's run statuses. One of these in the body counts, under any HTTP status."""


@dataclass(frozen=True, slots=True)
class Page:
    answer: Answer
    """Status, cost and error text, without a request id."""
    body: bytes
    document: object
    """The body's JSON, or its text; None for binary."""
    request_id: str | None = None

    @property
    def stage(self) -> Stage:
        status = self.field("status")
        if isinstance(status, str) and (stage := _STAGES.get(status.strip().upper())):
            return stage
        if not self.is_accepted:
            return Stage.REFUSED
        # With an unknown status, audio may be partial; without a status it is the output.
        return Stage.COMPLETED if status is None and self.has_output else Stage.RUNNING

    @property
    def is_accepted(self) -> bool:
        return self.answer.status is not None and 200 <= self.answer.status < 300

    @property
    def is_audio(self) -> bool:
        return self.is_accepted and self.document is None and bool(self.body)

    @property
    def has_output(self) -> bool:
        return self.is_audio or self.audio() is not None

    def audio(self) -> Link | Inline | None:
        return find_audio(self.document)

    def field(self, name: str) -> object:
        return self.document.get(name) if isinstance(self.document, dict) else None

    def completing(self, status_page: Page) -> Page:
        """This page, with the cost that only the preceding status reported."""
        own, earlier = self.answer, status_page.answer
        answer = replace(
            own,
            cost=earlier.cost if own.cost is None else own.cost,
            disbelieved_cost=own.disbelieved_cost or earlier.disbelieved_cost,
            remaining_credits=earlier.remaining_credits if own.remaining_credits is None else own.remaining_credits,
            generation_seconds=own.generation_seconds or earlier.generation_seconds,
        )
        return replace(self, answer=answer)


def request_id(document: object) -> str | None:
    named = document.get("request_id") if isinstance(document, dict) else None
    if isinstance(named, int) and not isinstance(named, bool):
        return str(named)
    return named if isinstance(named, str) and named.isascii() and named.isprintable() and " " not in named else None


def metered(answer: Answer, document: object) -> Answer:
    """`answer` with the body's `metrics`; headers fill the gaps."""
    metrics = document.get("metrics") if isinstance(document, dict) else None
    known = metrics if isinstance(metrics, dict) else {}
    named = _figure(known.get("cost"))
    cost = account.cost(named)
    left = account.amount(_figure(known.get("remaining_credits")))
    seconds = account.seconds(_figure(known.get("inference_time")))
    return replace(
        answer,
        request_id=None,
        cost=answer.cost if cost is None else cost,
        disbelieved_cost=answer.disbelieved_cost or account.disbelieved(named),
        remaining_credits=answer.remaining_credits if left is None else left,
        generation_seconds=answer.generation_seconds if seconds is None else seconds,
    )


def _figure(value: object) -> str | None:
    """A number, or text that may be one; JSON fractions arrive as exact decimals."""
    return None if value is None or isinstance(value, bool) else str(value)
