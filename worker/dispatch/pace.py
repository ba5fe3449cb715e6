"""How fast calls may start: an even spacing under the ceiling, and the pauses that the API asks for. Pure."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from worker.store.account import PaceState

HEADROOM: Final = 0.99
"""Share of the ceiling that is used. Starts reach the API with jitter; at the full rate, a window would now and then
hold one call too many. One percent of a minute absorbs 0.6 s of it at any rate."""

CATCH_UP_SECONDS: Final = 0.25
"""Starts that a late tick may make good at once. More would be a burst."""

BACKOFF_SECONDS: Final = 2.0
BACKOFF_CAP_SECONDS: Final = 120.0


def with_ceiling(pace: PaceState, rpm: float | None) -> PaceState:
    """The same pace under this ceiling in requests a minute; None lifts it."""
    return pace if pace.rpm == rpm else replace(pace, rpm=rpm)


def permitted(pace: PaceState, now: datetime, wanted: int) -> int:
    """How many calls may start now, at most `wanted`."""
    if is_paused(pace, now):
        return 0
    if pace.rpm is None:
        return wanted
    earliest = _earliest(pace, now)
    if earliest > now:
        return 0
    return min(wanted, int((now - earliest).total_seconds() / _spacing(pace.rpm)) + 1)


def after_starts(pace: PaceState, now: datetime, started: int) -> PaceState:
    """The pace once `started` calls were let go."""
    if pace.rpm is None or started == 0:
        return pace
    return replace(pace, next_start_at=_earliest(pace, now) + timedelta(seconds=started * _spacing(pace.rpm)))


def after_refusal(
    pace: PaceState, *, refused_at: datetime, reset_at: datetime | None, message: str, now: datetime, rng: random.Random
) -> PaceState:
    """The pace after a 429: everything waits for the API's reset stamp, else for a backoff with full jitter.

    Answers to calls that were already under way when the pause began belong to the same trouble: they only add to it
    what they know better, a later reset stamp.
    """
    if pace.paused_until is not None and refused_at <= pace.paused_until:
        later = max(pace.paused_until, reset_at) if reset_at else pace.paused_until
        return replace(pace, paused_until=later)
    wait = rng.uniform(0, min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2**pace.strikes))
    until = reset_at if reset_at and reset_at > now else now + timedelta(seconds=wait)
    return replace(pace, paused_until=until, strikes=pace.strikes + 1, message=message)


def after_success(pace: PaceState, *, started_at: datetime) -> PaceState:
    """The pace after a call that was let through: strikes are forgotten if it began after the pause."""
    if pace.strikes == 0 or (pace.paused_until is not None and started_at < pace.paused_until):
        return pace
    return replace(pace, strikes=0, message=None)


def is_paused(pace: PaceState, now: datetime) -> bool:
    """Whether a 429 holds everything."""
    return pace.paused_until is not None and pace.paused_until > now


def next_chance(pace: PaceState, now: datetime) -> datetime:
    """When a call may start at the earliest."""
    if is_paused(pace, now) and pace.paused_until is not None:
        return pace.paused_until
    return now if pace.rpm is None else max(now, _earliest(pace, now))


def _spacing(rpm: float) -> float:
    """Seconds between two starts."""
    return 60.0 / (rpm * HEADROOM)


def _earliest(pace: PaceState, now: datetime) -> datetime:
    """When the next start was due, but no longer ago than a late tick may make good."""
    floor = now - timedelta(seconds=CATCH_UP_SECONDS)
    return max(pace.next_start_at, floor) if pace.next_start_at else now
