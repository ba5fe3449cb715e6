"""Request rate of an API key. Pure; each process keeps its own count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BURST_SECONDS: Final = 5.0
"""Unused requests of this time may be made at once."""


@dataclass(frozen=True, slots=True)
class Bucket:
    tokens: float
    at: float
    """Seconds of a monotonic clock."""


def fresh(rate: int, now: float) -> Bucket:
    return Bucket(_capacity(rate), now)


def take(bucket: Bucket, rate: int, now: float) -> tuple[Bucket, float]:
    """Take one request. The second value is the seconds to wait, 0 if it was granted."""
    tokens = min(_capacity(rate), bucket.tokens + max(0.0, now - bucket.at) * rate / 60)
    if tokens < 1:
        return Bucket(tokens, now), (1 - tokens) * 60 / rate
    return Bucket(tokens - 1, now), 0.0


def _capacity(rate: int) -> float:
    return max(1.0, rate * BURST_SECONDS / 60)
