"""The emulated rate limit: pure rules over the time passed in.

The vendor does not document its window, so there are three kinds.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Annotated, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

from worker.emulator.api.reset_times import StampFormat

SECONDS_PER_MINUTE: Final = 60.0


class WindowKind(StrEnum):
    """How recent calls are counted."""

    TOKEN_BUCKET = "token_bucket"  # noqa: S105  # a kind of limiter, not a credential
    """Permits accrue evenly, up to a burst."""
    FIXED = "fixed"
    """A counter that resets when the window ends; the next window begins with the next call."""
    SLIDING = "sliding"
    """No interval of the window's length may hold more calls than the limit."""


class Limit(BaseModel):
    """The rate limit and the form of its 429s."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rpm: Annotated[float | None, Field(gt=0)] = None
    """Requests per minute; None disables the limit."""
    window: WindowKind = WindowKind.FIXED
    window_seconds: Annotated[float, Field(gt=0)] = SECONDS_PER_MINUTE
    """Length of a window, or the seconds of permits that a bucket accumulates."""
    burst: Annotated[int | None, Field(ge=1)] = None
    """Capacity of the token bucket; None means one window's permits."""
    stamp: StampFormat = StampFormat.ISO
    """Format of `x-rate-limit-reset-at-utc`."""
    retry_after: bool = False
    """Whether a 429 also carries `Retry-After` in seconds."""

    def per_window(self) -> int:
        """Calls per window, at least one."""
        return max(1, round((self.rpm or 0) * self.window_seconds / SECONDS_PER_MINUTE))


class Limiter(Protocol):
    def admit(self, now: float) -> float | None:
        """Admit and count a call at `now` (epoch seconds), or return the time at which one will be admitted."""


class Unlimited:
    def admit(self, now: float) -> float | None:  # noqa: ARG002  # the signature is the Protocol's
        return None


class TokenBucket:
    def __init__(self, rate: float, capacity: int) -> None:
        """`rate` is in permits per second."""
        self._rate = rate
        self._capacity = float(capacity)
        self._tokens = float(capacity)
        self._at: float | None = None

    def admit(self, now: float) -> float | None:
        elapsed = max(0.0, now - self._at) if self._at is not None else 0.0
        self._tokens = min(self._capacity, self._tokens + elapsed * self._rate)
        self._at = now
        if self._tokens < 1 - 1e-9:  # sums of thirds and tenths fall short of a whole permit by a rounding error
            return now + (1 - self._tokens) / self._rate
        self._tokens -= 1
        return None


class FixedWindow:
    def __init__(self, allowed: int, seconds: float) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._ends = float("-inf")
        self._count = 0

    def admit(self, now: float) -> float | None:
        if now >= self._ends:
            self._ends = now + self._seconds
            self._count = 0
        if self._count >= self._allowed:
            return self._ends
        self._count += 1
        return None


class SlidingWindow:
    def __init__(self, allowed: int, seconds: float) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._passed: deque[float] = deque()

    def admit(self, now: float) -> float | None:
        while self._passed and self._passed[0] + self._seconds <= now:
            self._passed.popleft()
        if len(self._passed) >= self._allowed:
            return self._passed[0] + self._seconds
        self._passed.append(now)
        return None


def limiter(limit: Limit) -> Limiter:
    if limit.rpm is None:
        return Unlimited()
    match limit.window:
        case WindowKind.TOKEN_BUCKET:
            return TokenBucket(limit.rpm / SECONDS_PER_MINUTE, limit.burst or limit.per_window())
        case WindowKind.FIXED:
            return FixedWindow(limit.per_window(), limit.window_seconds)
        case WindowKind.SLIDING:
            return SlidingWindow(limit.per_window(), limit.window_seconds)
