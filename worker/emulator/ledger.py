"""What the emulator has seen and billed: the truth that tests and benchmarks hold the queue's own books against."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from decimal import Decimal

from pydantic import BaseModel, ConfigDict


def text_hash(text: str) -> str:
    """The name under which the ledger keeps a text: 64 hex digits of SHA-256 over its UTF-8."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


class BillLine(BaseModel):
    """One billed call."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    model: str
    text: str
    """The text's hash."""
    cost: Decimal
    at: float
    """Epoch seconds, UTC."""


class State(BaseModel):
    """A snapshot. Amounts are decimal strings in JSON, times epoch seconds, texts their hashes."""

    model_config = ConfigDict(frozen=True)

    calls: int
    """Requests for speech, refused ones included."""
    statuses: dict[str, int]
    """Answers by status; `reset` and `lost` for those that never arrived, `cut` for those that did in part."""
    refused_by_limit: int
    """Answers of 429 that the rate limit gave; scripted ones aren't among them."""
    in_flight: int
    """Accepted calls that wait for their answer."""
    max_in_flight: int
    billed_calls: int
    billed: Decimal
    credits: Decimal
    free_credits: Decimal
    credit_checks: int
    """Calls of the credits endpoint."""
    files: int = 0
    """Fetches of result files."""
    files_with_key: int
    """Fetches of a result file that carried an API key; a careful client makes none."""
    submits: int = 0
    """Of the calls, those that came over v2."""
    polls: int = 0
    """Questions of v2 how a run stands, or for its result."""
    poll_statuses: dict[str, int] = {}
    """Answers to polls, by status or ending; they aren't among `statuses`."""
    polls_by_request: dict[str, int] = {}
    texts: dict[str, int] = {}
    """Calls by text."""
    billed_texts: dict[str, int] = {}
    """Billed calls by text."""
    texts_in_flight: dict[str, int] = {}
    bill: list[BillLine] = []
    admitted_at: list[float] = []
    """When calls passed the rate limit."""
    refused_at: list[float] = []
    """When the rate limit refused calls."""


class Ledger:
    """Counts; it decides nothing."""

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
        """A call came in; returns its number, from 1. `text` is a hash, or empty where there was none."""
        self.calls += 1
        if text:
            self._texts[text] += 1
        return self.calls

    def began(self, text: str) -> None:
        """A call was accepted."""
        self._in_flight += 1
        self._texts_in_flight[text] += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)

    def ended(self, text: str) -> None:
        """An accepted call is about to be answered, or its connection to be dropped."""
        self._in_flight -= 1
        self._texts_in_flight[text] -= 1
        if not self._texts_in_flight[text]:
            del self._texts_in_flight[text]

    def billed(self, line: BillLine) -> None:
        """A call was charged."""
        self.bill.append(line)

    def answered(self, outcome: str) -> None:
        """`outcome` is a status, or how the connection ended."""
        self._statuses[outcome] += 1

    def polled(self, request_id: str, outcome: str) -> None:
        """A poll was answered, or its connection dropped."""
        self._polls[request_id] += 1
        self._poll_statuses[outcome] += 1

    def state(self, funds: tuple[Decimal, Decimal], *, detail: bool) -> State:
        """A snapshot; `funds` are credits and free credits. Without `detail` the long lists and tables stay empty."""
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
