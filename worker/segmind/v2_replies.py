"""One reply of the v2 endpoints as a value: how the run stands, its handle, its money, its output. Fetches nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from worker.segmind import account
from worker.segmind.answers import Answer
from worker.segmind.documents import Inline, Link, find_audio


class Stage(StrEnum):
    """What a reply says of its run."""

    RUNNING = "running"
    """It waits or works, or is in a state that this program doesn't know."""
    COMPLETED = "completed"
    """It is over, and its output is here or can be had."""
    FAILED = "failed"
    """It is over, without output."""
    REFUSED = "refused"
    """Nothing: the reply is an error's."""


_STAGES: Final = {
    "QUEUED": Stage.RUNNING,
    "PROCESSING": Stage.RUNNING,
    "COMPLETED": Stage.COMPLETED,
    "FAILED": Stage.FAILED,
}
"""The vendor's words. One of these in the body counts, whatever the HTTP status is."""


@dataclass(frozen=True, slots=True)
class Page:
    """A whole reply."""

    answer: Answer
    """Status, money, and of an error the words. Never names a request."""
    body: bytes
    document: object
    """The body's JSON, or its text; None where it is neither."""
    request_id: str | None = None

    @property
    def stage(self) -> Stage:
        """How the run stands."""
        status = self.field("status")
        if isinstance(status, str) and (stage := _STAGES.get(status.strip().upper())):
            return stage
        if not self.is_accepted:
            return Stage.REFUSED
        # Audio under a state that isn't known may be a part of it; under none at all it is the output.
        return Stage.COMPLETED if status is None and self.has_output else Stage.RUNNING

    @property
    def is_accepted(self) -> bool:
        """Whether the HTTP status is one of success."""
        return self.answer.status is not None and 200 <= self.answer.status < 300

    @property
    def is_audio(self) -> bool:
        """Whether the body is no text, and so the audio itself."""
        return self.is_accepted and self.document is None and bool(self.body)

    @property
    def has_output(self) -> bool:
        """Whether the audio is in this reply, or an address that leads to it."""
        return self.is_audio or self.audio() is not None

    def audio(self) -> Link | Inline | None:
        """The audio in the JSON."""
        return find_audio(self.document)

    def field(self, name: str) -> object:
        """A field of the JSON; None where there is none."""
        return self.document.get(name) if isinstance(self.document, dict) else None

    def completing(self, status_page: Page) -> Page:
        """This page, with the money that only the status before it named."""
        mine, earlier = self.answer, status_page.answer
        answer = replace(
            mine,
            cost=earlier.cost if mine.cost is None else mine.cost,
            disbelieved_cost=mine.disbelieved_cost or earlier.disbelieved_cost,
            remaining_credits=earlier.remaining_credits if mine.remaining_credits is None else mine.remaining_credits,
            generation_seconds=mine.generation_seconds or earlier.generation_seconds,
        )
        return replace(self, answer=answer)


def request_id(document: object) -> str | None:
    """The handle that a reply names."""
    named = document.get("request_id") if isinstance(document, dict) else None
    if isinstance(named, int) and not isinstance(named, bool):
        return str(named)
    return named if isinstance(named, str) and named.isascii() and named.isprintable() and " " not in named else None


def metered(answer: Answer, document: object) -> Answer:
    """`answer` with what the body's `metrics` say; a header speaks only where they are silent."""
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
    """A number, or text that may be one; JSON's fractions arrive as exact decimals."""
    return None if value is None or isinstance(value, bool) else str(value)
