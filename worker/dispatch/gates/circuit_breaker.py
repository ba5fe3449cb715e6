"""Detects a broken upstream of a model from its calls of the last minute. Pure.

A failed call adds one, a served call takes three off; at twenty the breaker opens. A dead upstream opens it with its
twentieth consecutive failure, however well it did before. The break-even is three failures in four calls; failures at
random and well below that rate never open it (`tests/unit/dispatch/test_circuit_breaker.py` simulates a million calls).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from api_models.verdict import VerdictKind
from worker.store.queries.attempts import Ended

CODE: Final = "breaker_open"
WINDOW_SECONDS: Final = 60.0
TRIP_AT: Final = 20
SERVED_WEIGHT: Final = -3
FAILED_WEIGHT: Final = 1
MAX_CALLS: Final = 200
"""Length of a record; more would only matter at failure rates near break-even."""

OURS: Final = frozenset({"internal_error", "request_expired"})
"""Retryable codes that are no evidence about the upstream."""
SERVED: Final = frozenset({VerdictKind.SUCCESS, VerdictKind.BAD_TAKE, VerdictKind.REFUSED})
"""Verdicts on calls that the upstream served."""

Record = tuple[tuple[datetime, int], ...]
"""Time and weight of a model's latest calls, the oldest first."""


def after(record: Record, ended: Ended) -> Record:
    """Return the record with one more attempt; attempts that are no evidence leave it unchanged."""
    if ended.verdict in SERVED:
        weight = SERVED_WEIGHT
    elif ended.verdict is VerdictKind.RETRY and ended.code not in OURS:
        weight = FAILED_WEIGHT
    else:
        return record
    return (*record[1 - MAX_CALLS :], (ended.finished_at, weight))


def trips(record: Record, now: datetime) -> bool:
    total = 0
    for ended_at, weight in reversed(record):
        if (now - ended_at).total_seconds() > WINDOW_SECONDS:
            return False
        total += weight
        if total >= TRIP_AT:
            return True
    return False


def describe(record: Record, now: datetime) -> str:
    recent = [weight for ended_at, weight in record if (now - ended_at).total_seconds() <= WINDOW_SECONDS]
    failed = recent.count(FAILED_WEIGHT)
    return f"{failed} of the latest {len(recent)} calls failed upstream; probing one call at a time until one succeeds"
