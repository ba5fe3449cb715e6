"""How many calls a minute the emulated account admits. Pure rules over the time passed in; they never look at a clock.

Three kinds of window, because the vendor doesn't say which one it counts by.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Annotated, Final, Protocol

from pydantic import BaseModel, ConfigDict, Field

from worker.emulator.api.reset_times import StampFormat

SECONDS_PER_MINUTE: Final = 60.0


class WindowKind(StrEnum):
    """How the calls of the recent past are counted."""

    TOKEN_BUCKET = "token_bucket"  # noqa: S105  # a kind of limiter, not a credential
    """Permits flow in evenly and are saved up to a burst."""
    FIXED = "fixed"
    """A count that returns to zero when its window ends; the next window begins with the next call."""
    SLIDING = "sliding"
    """No stretch of a window's length may hold more than the limit."""


class Limit(BaseModel):
    """The rate limit and how its refusals tell the time of its reset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rpm: Annotated[float | None, Field(gt=0)] = None
    """Requests a minute; None admits everything."""
    window: WindowKind = WindowKind.FIXED
    window_seconds: Annotated[float, Field(gt=0)] = SECONDS_PER_MINUTE
    """Length of a window, or the seconds of permits that a bucket saves up."""
    burst: Annotated[int | None, Field(ge=1)] = None
    """Permits that a token bucket holds when full; None: those of one window."""
    stamp: StampFormat = StampFormat.ISO
    """The form of `x-rate-limit-reset-at-utc`."""
    retry_after: bool = False
    """Whether a refusal also carries `Retry-After` in seconds."""

    def per_window(self) -> int:
        """Calls that one window admits, at least one."""
        return max(1, round((self.rpm or 0) * self.window_seconds / SECONDS_PER_MINUTE))


class Limiter(Protocol):
    """One kind of window."""

    def admit(self, now: float) -> float | None:
        """None where a call at `now` (epoch seconds) passes, which counts it; else the time from which one will."""


class Unlimited:
    """Admits everything."""

    def admit(self, now: float) -> float | None:  # noqa: ARG002  # the signature is the Protocol's
        """Always None."""
        return None


class TokenBucket:
    """Permits flow in at an even rate up to a capacity."""

    def __init__(self, rate: float, capacity: int) -> None:
        """`rate` in permits a second."""
        self._rate = rate
        self._capacity = float(capacity)
        self._tokens = float(capacity)
        self._at: float | None = None

    def admit(self, now: float) -> float | None:
        """Takes one permit, or tells when the next one will have flowed in."""
        elapsed = max(0.0, now - self._at) if self._at is not None else 0.0
        self._tokens = min(self._capacity, self._tokens + elapsed * self._rate)
        self._at = now
        if self._tokens < 1 - 1e-9:  # sums of thirds and tenths fall short of a whole permit by a rounding error
            return now + (1 - self._tokens) / self._rate
        self._tokens -= 1
        return None


class FixedWindow:
    """A count that returns to zero when its window ends."""

    def __init__(self, allowed: int, seconds: float) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._ends = float("-inf")
        self._count = 0

    def admit(self, now: float) -> float | None:
        """Counts the call, or tells the end of the window."""
        if now >= self._ends:
            self._ends = now + self._seconds
            self._count = 0
        if self._count >= self._allowed:
            return self._ends
        self._count += 1
        return None


class SlidingWindow:
    """No stretch of the window's length holds more calls than allowed."""

    def __init__(self, allowed: int, seconds: float) -> None:
        self._allowed = allowed
        self._seconds = seconds
        self._passed: deque[float] = deque()

    def admit(self, now: float) -> float | None:
        """Counts the call, or tells when the oldest of the counted ones leaves the window."""
        while self._passed and self._passed[0] + self._seconds <= now:
            self._passed.popleft()
        if len(self._passed) >= self._allowed:
            return self._passed[0] + self._seconds
        self._passed.append(now)
        return None


def limiter(limit: Limit) -> Limiter:
    """A fresh limiter for `limit`, with nothing counted yet."""
    if limit.rpm is None:
        return Unlimited()
    match limit.window:
        case WindowKind.TOKEN_BUCKET:
            return TokenBucket(limit.rpm / SECONDS_PER_MINUTE, limit.burst or limit.per_window())
        case WindowKind.FIXED:
            return FixedWindow(limit.per_window(), limit.window_seconds)
        case WindowKind.SLIDING:
            return SlidingWindow(limit.per_window(), limit.window_seconds)
