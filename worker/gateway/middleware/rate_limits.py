"""How many requests a key may make in a minute, and how many at once. Pure; one process keeps its own count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BURST_SECONDS: Final = 5.0
"""What a key didn't use in this time, it may use at once."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left of a rate at one moment."""

    tokens: float
    at: float
    """Seconds of a clock that only goes forward."""


def fresh(rate: int, now: float) -> Bucket:
    """A rate, in requests a minute, that nothing was taken of yet."""
    return Bucket(_most(rate), now)


def take(bucket: Bucket, rate: int, now: float) -> tuple[Bucket, float]:
    """Take one request. The second value is zero, or how many seconds to wait where there is none left."""
    tokens = min(_most(rate), bucket.tokens + max(0.0, now - bucket.at) * rate / 60)
    if tokens < 1:
        return Bucket(tokens, now), (1 - tokens) * 60 / rate
    return Bucket(tokens - 1, now), 0.0


def _most(rate: int) -> float:
    return max(1.0, rate * BURST_SECONDS / 60)
