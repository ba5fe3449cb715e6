"""The outcome of one call as a value. Its meaning is decided in `verdicts`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from worker.segmind.account import MAX_AMOUNT


class Failure(StrEnum):
    """What went wrong besides the HTTP status."""

    CONNECT = "connect"
    """Connecting failed (DNS, route, refusal, TLS): no text was sent."""
    TIMEOUT_CONNECT = "timeout_connect"
    """Connecting timed out: no text was sent."""
    SEND = "send"
    """The connection broke before the whole request was sent: the API can't have acted on it."""
    TIMEOUT_READ = "timeout_read"
    """The request was sent, and the answer or its remainder timed out."""
    RESET = "reset"
    """The request was sent, and the connection broke before the answer was complete."""
    GARBLED = "garbled"
    """The answer is not HTTP, or doesn't decode as declared."""
    UNDECODABLE = "undecodable"
    """A complete 2xx in an unsupported content coding; `message` names it."""
    CUT_OFF = "cut_off"
    """A body shorter than its Content-Length, or without its last chunk."""
    TOO_LARGE = "too_large"
    """A body over the size limit; not read to its end."""
    EMPTY = "empty"
    """A 2xx with no body."""
    RUN_FAILED = "run_failed"
    """A 2xx whose JSON reports a failed run; `message` holds its text."""
    UNREADABLE = "unreadable"
    """A 2xx with a text body in which no audio is found, or whose audio can't be fetched."""
    FAILED = "failed"
    """v2 reports the run as FAILED, under any HTTP status. Such runs aren't billed."""
    EXPIRED = "expired"
    """v2 no longer has a record of the request: the run's outcome is unknown."""
    UNFINISHED = "unfinished"
    """Polling timed out; the run may continue, and its request id remains valid."""
    INTERRUPTED = "interrupted"
    """The worker stopped while polling; the request id remains valid."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One call's outcome. Never contains the API key, even if the API echoed it."""

    status: int | None = None
    """The HTTP status; None without an HTTP answer."""
    failure: Failure | None = None
    sent: bool = False
    """The whole request may have reached the API: without a clear answer it may be billed."""
    audio: Path | None = None
    """The spooled body of a 2xx that may be audio."""
    size: int = 0
    """Bytes of `audio`."""
    sha256: str | None = None
    """Of `audio`, in hex, as received."""
    content_type: str = ""
    """As declared by the API; not to be trusted."""
    message: str = ""
    """The API's error text, redacted, at most 2,000 characters; without an answer, the reason."""
    codes: tuple[str, ...] = ()
    """The API's codes for missing audio, such as `PROHIBITED_CONTENT`, outermost first."""
    cost: Decimal | None = None
    """US dollars, as reported."""
    disbelieved_cost: str = ""
    """An implausible cost as reported. Redacted."""
    remaining_credits: Decimal | None = None
    """US dollars, as reported."""
    request_id: str | None = None
    """v1: the API's id of the call. v2: the handle of the submitted request, never anything else."""
    handle_spent: bool = False
    """v2: the submitted request can't produce audio any more; the next attempt must submit anew."""
    generation_seconds: float | None = None
    reset_at: datetime | None = None
    """When the API accepts requests again, in UTC; None without a usable value."""


@dataclass(frozen=True, slots=True)
class Credits:
    """The account's balance in US dollars."""

    paid: Decimal
    free: Decimal

    @property
    def total(self) -> Decimal:
        """Spendable balance, clamped to what a column holds."""
        return min(self.paid + self.free, MAX_AMOUNT)
