"""How fast calls may start: even spacing under a set or a found limit, and the pauses the API asks for. Pure."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from worker.dispatch.rate import search as rate_search
from worker.dispatch.rate import state
from worker.dispatch.rate.state import Phase, Search
from worker.store.account import PaceState

HEADROOM: Final = 0.99
"""Share of the ceiling that is used. Starts reach the API with jitter; at the full rate, a window would now and then
hold one call too many. One percent of a minute absorbs 0.6 s of it at any rate."""

SEARCH_HEADROOM: Final = 0.98
"""The share of a searched limit that is used; what was measured is less sure than what was set."""

CATCH_UP_SECONDS: Final = 0.25
"""Starts that a late tick may make good at once. More would be a burst."""

BACKOFF_SECONDS: Final = 2.0
BACKOFF_CAP_SECONDS: Final = 120.0
SEARCH_CAP_SECONDS: Final = 16.0
"""The longest first backoffs of a search: a limit a minute has room again well within one."""
PATIENT_STRIKES: Final = 8
"""From so many refusals in a row on it is no longer a window that fills, and the long backoff applies."""

UNLIMITED: Final = "unlimited"

Ceiling = float | Literal["unlimited"] | None
"""Requests a minute; `unlimited` for none but the API's own pauses; None for what a search finds."""


def with_ceiling(pace: PaceState, ceiling: Ceiling) -> PaceState:
    """The same pace under this ceiling; None begins a search, or goes on with it."""
    if ceiling is None:
        return pace if pace.search else _searched(pace, Search())
    rpm = None if ceiling == UNLIMITED else ceiling
    return pace if (pace.rpm, pace.search) == (rpm, None) else replace(pace, rpm=rpm, search=None)


def over_time(pace: PaceState, now: datetime) -> PaceState:
    """The pace after time has passed: a search may grow."""
    if pace.search is None:
        return pace
    before = state.read(pace.search)
    after = rate_search.grown(before, now.timestamp())
    return pace if after is before else _searched(pace, after)


def found_rate(pace: PaceState) -> float | None:
    """Requests a minute that a search holds for right; None where the limit is set, or nothing was ever refused."""
    return state.read(pace.search).limit if pace.search else None


def permitted(pace: PaceState, now: datetime, wanted: int) -> int:
    """How many calls may start now, at most `wanted`."""
    if is_paused(pace, now):
        return 0
    spacing = _spacing(pace)
    if spacing is None:
        return min(wanted, rate_search.allowed(state.read(pace.search), now.timestamp())) if pace.search else wanted
    earliest = _earliest(pace, now)
    if earliest > now:
        return 0
    return min(wanted, int((now - earliest).total_seconds() / spacing) + 1)


def after_starts(pace: PaceState, now: datetime, started: int) -> PaceState:
    """The pace once `started` calls were let go."""
    if started == 0:
        return pace
    spacing = _spacing(pace)
    if pace.search is not None:
        pace = _searched(pace, rate_search.after_starts(state.read(pace.search), now.timestamp(), started))
    if spacing is None:
        return pace
    return replace(pace, next_start_at=_earliest(pace, now) + timedelta(seconds=started * spacing))


def after_refusal(
    pace: PaceState,
    *,
    refused_at: datetime,
    reset_at: datetime | None,
    message: str,
    now: datetime,
    rng: random.Random,
    started_at: datetime | None = None,
) -> PaceState:
    """The pace after a 429: everything waits for the API's reset stamp, else for a backoff with full jitter.

    Answers to calls that were already under way when the pause began belong to the same trouble: they only add to it
    what they know better, a later reset stamp.
    """
    if pace.search is not None:
        began = (started_at or refused_at).timestamp()
        pace = _searched(pace, rate_search.after_refusal(state.read(pace.search), began, now.timestamp()))
    if pace.paused_until is not None and refused_at <= pace.paused_until:
        later = max(pace.paused_until, reset_at) if reset_at else pace.paused_until
        return replace(pace, paused_until=later)
    if reset_at is not None and reset_at > now:
        until = reset_at
    else:
        told = reset_at is not None and started_at is not None and reset_at > started_at
        until = _backed_off(pace, now, rng, told=told)
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
    if _spacing(pace) is not None:
        return max(now, _earliest(pace, now))
    if pace.search is None:
        return now
    return max(now, datetime.fromtimestamp(rate_search.next_step(state.read(pace.search), now.timestamp()), UTC))


def _backed_off(pace: PaceState, now: datetime, rng: random.Random, *, told: bool) -> datetime:
    """When to try again after a refusal that didn't say, or that was `told` of a moment that has passed by now."""
    strikes = max(0, pace.strikes - PATIENT_STRIKES) if told and pace.search else pace.strikes
    cap = SEARCH_CAP_SECONDS if pace.search and pace.strikes < PATIENT_STRIKES else BACKOFF_CAP_SECONDS
    until = now + timedelta(seconds=rng.uniform(0, min(cap, BACKOFF_SECONDS * 2 ** min(strikes, 20))))
    if pace.search is None or told:
        return until
    clear = rate_search.clear_at(state.read(pace.search), now.timestamp())
    return max(until, datetime.fromtimestamp(clear, UTC))


def _searched(pace: PaceState, found: Search) -> PaceState:
    """The pace with what its search knows now."""
    return replace(pace, rpm=found.limit, search=state.kept(found))


def _spacing(pace: PaceState) -> float | None:
    """Seconds between two starts; None where nothing spaces them."""
    if pace.search is None:
        return None if pace.rpm is None else 60.0 / (pace.rpm * HEADROOM)
    found = state.read(pace.search)
    return None if found.phase is Phase.FREE else 60.0 / (found.rate * SEARCH_HEADROOM)


def _earliest(pace: PaceState, now: datetime) -> datetime:
    """When the next start was due, but no longer ago than a late tick may make good."""
    floor = now - timedelta(seconds=CATCH_UP_SECONDS)
    return max(pace.next_start_at, floor) if pace.next_start_at else now
