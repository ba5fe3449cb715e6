"""Messages that can never be served: logged, counted, and reported where a producer waits for an answer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api_models.problems import Fault
from worker.producer import messages
from worker.store.database import Database
from worker.store.errors import describe

LOGGED_PER_MINUTE: Final = 100
"""Single log lines; a flood is summed up."""
MINUTE_SECONDS: Final = 60.0
REFUSAL_TRIES: Final = 300
REFUSAL_WAIT_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 2.0

log = structlog.get_logger("ttsq.broker")


class UnusableMessageError(Exception):
    """A message that no repetition makes usable."""

    def __init__(self, reason: str, detail: str, *, submission: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        """A word for counters and filters."""
        self.detail = detail
        """Why, for people; escaped, and without the message's content."""
        self.submission = submission
        """The id of a `ttsq.submit`, whose producer looks for an event."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A producer's request that was dropped before it could be read."""

    id: str
    fault: str


@dataclass(slots=True)
class DroppedMessages:
    """One per process. Thread-safe."""

    refuse: Callable[[Refusal], object] = lambda _: None
    """Called for each request of a producer; must not block."""
    clock: Callable[[], float] = time.monotonic
    by_reason: Counter[str] = field(default_factory=Counter)
    _logged: int = 0
    _minute_began: float = float("-inf")
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> int:
        return self.by_reason.total()

    def add(self, error: UnusableMessageError, *, queue: str) -> None:
        with self._lock:
            self.by_reason[error.reason] += 1
            total, unlogged = self.total, self._unlogged()
        if unlogged is not None:
            log.warning(
                "message_dropped", queue=queue, reason=error.reason, error=error.detail, total=total, unlogged=unlogged
            )
        if error.submission is not None:
            self.refuse(Refusal(error.submission, error.detail))

    def _unlogged(self) -> int | None:
        """How many were not logged in the minute before; None if this one isn't logged either."""
        now, unlogged = self.clock(), 0
        if now - self._minute_began >= MINUTE_SECONDS:
            unlogged = max(0, self._logged - LOGGED_PER_MINUTE)
            self._minute_began, self._logged = now, 0
        self._logged += 1
        return unlogged if self._logged <= LOGGED_PER_MINUTE else None


@dataclass(frozen=True, slots=True)
class RefusalWriter:
    database: Database
    wait: Callable[[float], object] = time.sleep

    def write(self, refusal: Refusal) -> None:
        """Write the event that a producer looks for, once the database can. Blocks until then, for ten minutes."""
        for _ in range(REFUSAL_TRIES):
            try:
                messages.refuse(refusal.id, [Fault(message=refusal.fault)], self.database)
            except SQLAlchemyError as error:
                log.warning("refusal_waits", message=refusal.id, error=describe(error))
                self.wait(REFUSAL_WAIT_SECONDS)
            else:
                return
