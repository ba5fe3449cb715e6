"""What the emulator has seen and billed: the reference against which tests and benchmarks check the queue's ledger."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from decimal import Decimal

from pydantic import BaseModel, ConfigDict


def text_hash(text: str) -> str:
    """SHA-256 of the text's UTF-8, as 64 hex digits."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class BillLine(BaseModel):
    model_config = ConfigDict(frozen=True)

    request_id: str
    model: str
    text: str
    """Hash of the text."""
    voices: str = ""
    """Those of the request, joined by a plus sign."""
    cost: Decimal
    at: float
    """Epoch seconds, UTC."""


class State(BaseModel):
    """A snapshot. In JSON amounts are decimal strings, times are epoch seconds, and texts are hashes."""

    model_config = ConfigDict(frozen=True)

    calls: int
    """Speech requests, including refused ones."""
    statuses: dict[str, int]
    """Responses by status; `reset` and `lost` count connections dropped before a response, `cut` partial responses."""
    refused_by_limit: int
    """429s from the rate limit; scripted ones are not included."""
    in_flight: int
    """Accepted calls without a response yet."""
    max_in_flight: int
    billed_calls: int
    billed: Decimal
    credits: Decimal
    free_credits: Decimal
    credit_checks: int
    files: int = 0
    files_with_key: int
    """Result files fetched with an API key; a careful client sends none."""
    submits: int = 0
    """v2 submissions, included in `calls`."""
    polls: int = 0
    """v2 requests for status or result."""
    poll_statuses: dict[str, int] = {}
    """Responses to polls, by status or ending; not included in `statuses`."""
    polls_by_request: dict[str, int] = {}
    texts: dict[str, int] = {}
    billed_texts: dict[str, int] = {}
    texts_in_flight: dict[str, int] = {}
    bill: list[BillLine] = []
    admitted_at: list[float] = []
    refused_at: list[float] = []


class Ledger:
    """Counters only; decides nothing."""

    def __init__(self) -> None:
        self.calls = 0
        self.credit_checks = 0
        self.files = 0
        self.files_with_key = 0
        self.submits = 0
        self.max_in_flight = 0
        self.bill: list[BillLine] = []
        self.admitted_at = array("d")
        self.refused_at = array("d")
        self._statuses: Counter[str] = Counter()
        self._polls: Counter[str] = Counter()
        self._poll_statuses: Counter[str] = Counter()
        self._texts: Counter[str] = Counter()
        self._texts_in_flight: Counter[str] = Counter()
        self._in_flight = 0

    def arrived(self, text: str) -> int:
        """Count a call and return its number, from 1. `text` is a hash, or empty if the request had none."""
        self.calls += 1
        if text:
            self._texts[text] += 1
        return self.calls

    def began(self, text: str) -> None:
        self._in_flight += 1
        self._texts_in_flight[text] += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)

    def ended(self, text: str) -> None:
        """Count an accepted call as about to be answered, or its connection as dropped."""
        self._in_flight -= 1
        self._texts_in_flight[text] -= 1
        if not self._texts_in_flight[text]:
            del self._texts_in_flight[text]

    def billed(self, line: BillLine) -> None:
        self.bill.append(line)

    def answered(self, outcome: str) -> None:
        """Count a response by its status, or by how the connection ended."""
        self._statuses[outcome] += 1

    def polled(self, request_id: str, outcome: str) -> None:
        self._polls[request_id] += 1
        self._poll_statuses[outcome] += 1

    def state(self, funds: tuple[Decimal, Decimal], *, detail: bool) -> State:
        """Return a snapshot. `funds` are credits and free credits; without `detail` the long tables stay empty."""
        summary = State(
            calls=self.calls,
            statuses=dict(sorted(self._statuses.items())),
            refused_by_limit=len(self.refused_at),
            in_flight=self._in_flight,
            max_in_flight=self.max_in_flight,
            billed_calls=len(self.bill),
            billed=sum((line.cost for line in self.bill), Decimal(0)),
            credits=funds[0],
            free_credits=funds[1],
            credit_checks=self.credit_checks,
            files=self.files,
            files_with_key=self.files_with_key,
            submits=self.submits,
            polls=self._polls.total(),
            poll_statuses=dict(sorted(self._poll_statuses.items())),
        )
        return summary.model_copy(update=self._detail()) if detail else summary

    def _detail(self) -> dict[str, object]:
        return {
            "texts": dict(self._texts),
            "billed_texts": dict(Counter(line.text for line in self.bill)),
            "texts_in_flight": dict(self._texts_in_flight),
            "bill": list(self.bill),
            "polls_by_request": dict(self._polls),
            "admitted_at": self.admitted_at.tolist(),
            "refused_at": self.refused_at.tolist(),
        }
