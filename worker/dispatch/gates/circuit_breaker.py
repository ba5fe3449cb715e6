"""When a model's upstream counts as broken: by the latest calls alone, none older than a minute. Pure.

A call that failed weighs one, a call that was served takes three of those back, and at twenty the breaker opens. An
upstream that is dead opens it with its twentieth failure in a row, however well it did before. At three failures in
four the weights balance; where calls fail at random, and far less often than that, no run of them ever gets there
(`tests/unit/dispatch/test_circuit_breaker.py` tries a million).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from api_models.verdict import VerdictKind
from worker.store.queries.attempts import Ended

CODE: Final = "breaker_open"
"""The code of a model's gate that the breaker closed."""
WINDOW_SECONDS: Final = 60.0
TRIP_AT: Final = 20
SERVED_WEIGHT: Final = -3
FAILED_WEIGHT: Final = 1
MAX_CALLS: Final = 200
"""A record's length; a longer one would not change a decision but at failure rates near the balance."""

OURS: Final = frozenset({"internal_error", "request_expired"})
"""Codes of attempts to be tried again that say nothing of the upstream."""
SERVED: Final = frozenset({VerdictKind.SUCCESS, VerdictKind.BAD_TAKE, VerdictKind.REFUSED})
"""Verdicts on calls that the upstream was there for."""

Record = tuple[tuple[datetime, int], ...]
"""One model's latest calls, the oldest first: when they ended, and their weights."""


def after(record: Record, ended: Ended) -> Record:
    """The record with one more attempt. What says nothing of the upstream leaves it as it is."""
    if ended.verdict in SERVED:
        weight = SERVED_WEIGHT
    elif ended.verdict is VerdictKind.RETRY and ended.code not in OURS:
        weight = FAILED_WEIGHT
    else:
        return record
    return (*record[1 - MAX_CALLS :], (ended.finished_at, weight))


def trips(record: Record, now: datetime) -> bool:
    """Whether some run of the latest calls weighs enough."""
    total = 0
    for ended_at, weight in reversed(record):
        if (now - ended_at).total_seconds() > WINDOW_SECONDS:
            return False
        total += weight
        if total >= TRIP_AT:
            return True
    return False


def describe(record: Record, now: datetime) -> str:
    """The gate's message."""
    recent = [weight for ended_at, weight in record if (now - ended_at).total_seconds() <= WINDOW_SECONDS]
    failed = recent.count(FAILED_WEIGHT)
    return f"{failed} of the latest {len(recent)} calls failed upstream; one at a time is tried until one succeeds"
