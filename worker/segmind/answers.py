"""What came back from one call, as values. Says what happened; what follows from it is the verdicts' part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from worker.segmind.account import MAX_AMOUNT


class Failure(StrEnum):
    """How a call went wrong beside its HTTP status."""

    CONNECT = "connect"
    """No connection came about (name, route, refusal, TLS): nothing of the text left this machine."""
    TIMEOUT_CONNECT = "timeout_connect"
    """No connection came about in time: nothing of the text left this machine."""
    SEND = "send"
    """The connection died before the whole request had left: the API can't have acted on it."""
    TIMEOUT_READ = "timeout_read"
    """The request was sent, and the answer, or the rest of it, didn't come in time."""
    RESET = "reset"
    """The request was sent, and the connection died before the answer was whole."""
    GARBLED = "garbled"
    """What came back isn't HTTP, or not decodable as it says."""
    UNDECODABLE = "undecodable"
    """A whole 2xx in a content coding that nobody asked for and that can't be undone; `message` names it."""
    CUT_OFF = "cut_off"
    """A body shorter than its Content-Length, or without its last chunk."""
    TOO_LARGE = "too_large"
    """A body over the size cap; it was not read to its end."""
    EMPTY = "empty"
    """A 2xx with no body."""
    RUN_FAILED = "run_failed"
    """A 2xx whose JSON says that the run failed; `message` has its words."""
    UNREADABLE = "unreadable"
    """A 2xx whose body is text in which no audio is found, or whose audio can't be fetched."""
    FAILED = "failed"
    """v2 says of the submitted run that it FAILED, under whatever HTTP status. Such runs aren't billed."""
    EXPIRED = "expired"
    """v2 keeps no record of the submitted request any more: how its run ended can't be told."""
    UNFINISHED = "unfinished"
    """Polling was given up after its time; the run may well go on, and its request id still leads to it."""
    INTERRUPTED = "interrupted"
    """This worker was told to stop while it polled; the request id still leads to the run."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One call's outcome. Holds no API key, wherever the API may have echoed it."""

    status: int | None = None
    """The HTTP status; None where no HTTP answer came."""
    failure: Failure | None = None
    sent: bool = False
    """The whole request may have reached the API: with no clear answer it may have been billed."""
    audio: Path | None = None
    """The spooled body of a 2xx that may be audio."""
    size: int = 0
    """Bytes of `audio`."""
    sha256: str | None = None
    """Of `audio`, in hex, as it came in."""
    content_type: str = ""
    """What the API calls the body; never to be trusted."""
    message: str = ""
    """The API's own words, redacted, at most 2,000 characters; for a call that came to no answer, what went wrong."""
    codes: tuple[str, ...] = ()
    """The API's own codes for why there is no audio, such as `PROHIBITED_CONTENT`, the outermost first."""
    cost: Decimal | None = None
    """US dollars, as the API reported them."""
    disbelieved_cost: str = ""
    """What the API named as the cost, where no call can cost that. Redacted."""
    remaining_credits: Decimal | None = None
    """US dollars left, as the API reported them."""
    request_id: str | None = None
    """v1: what the API calls this call. v2: the handle of the submitted request, and never anything else."""
    handle_spent: bool = False
    """v2: nothing more can come of the submitted request; a later attempt must submit anew."""
    generation_seconds: float | None = None
    reset_at: datetime | None = None
    """When the API said it will take requests again, in UTC; None where it said nothing usable."""


@dataclass(frozen=True, slots=True)
class Credits:
    """What is left in the account, in US dollars."""

    paid: Decimal
    free: Decimal

    @property
    def total(self) -> Decimal:
        """Everything that can be spent, as far as a column holds it."""
        return min(self.paid + self.free, MAX_AMOUNT)
