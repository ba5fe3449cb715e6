"""When a request is repeated. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

NOTHING_DONE: Final = frozenset({429, 503})
"""The gateway did nothing with the request, so that any may be repeated."""
TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Only what may be done twice is repeated after these."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential back-off with full jitter, so that clients that failed together do not come back together."""

    attempts: int = 5
    """Including the first one."""
    base_seconds: float = 0.25
    max_seconds: float = 8.0
    max_retry_after_seconds: float = 60.0
    """A longer `Retry-After` is not waited for: its error is raised."""

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.base_seconds, self.max_seconds, self.max_retry_after_seconds) < 0:
            raise ValueError("attempts must be at least 1, and no time negative")

    def delay(self, attempt: int, retry_after: float | None, rng: random.Random) -> float | None:
        """Return the seconds before the next attempt, or None if there is none. `attempt` counts from 1."""
        if attempt >= self.attempts or (retry_after or 0.0) > self.max_retry_after_seconds:
            return None
        backoff = rng.random() * min(self.max_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 30))
        return backoff if retry_after is None else retry_after + backoff


def may_repeat(status: int, *, repeatable: bool) -> bool:
    return status in (TRANSIENT if repeatable else NOTHING_DONE)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds of a `Retry-After`, which is a number or a date; None if it is neither."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())
