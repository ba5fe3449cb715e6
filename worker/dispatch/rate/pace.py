"""How fast calls may start: even spacing under a limit, and the pauses the API asks for. Pure."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from worker.dispatch.rate import search as rate_search
from worker.dispatch.rate import state
from worker.dispatch.rate.goodput import WINDOW_SECONDS
from worker.dispatch.rate.recent import Recent
from worker.dispatch.rate.state import Phase, Search
from worker.store.account import PaceState

HEADROOM: Final = 0.99
"""Share of the ceiling that is used. Starts reach the API with jitter, so at the full rate a window would sometimes
hold one call too many. One percent of a minute absorbs 0.6 s of jitter at any rate."""

SEARCH_HEADROOM: Final = 0.98
"""Share of a searched limit that is used: a measured limit is less certain than a configured one."""

CATCH_UP_SECONDS: Final = 0.25
"""Delay that any tick may make up for at once. After a silence, more would be a burst."""

LATE_SECONDS: Final = 4.0
"""A late tick makes up for the whole time since the tick before it, up to this: later than a lease lasts, the queue was
idle or had no leader."""

BACKOFF_SECONDS: Final = 2.0
BACKOFF_CAP_SECONDS: Final = 120.0
SEARCH_CAP_SECONDS: Final = 16.0
"""Cap on the first backoffs of a search: a limit per minute has room again well within one."""
PATIENT_STRIKES: Final = 8
"""Consecutive refusals from which on the long backoff applies: a full window no longer explains them."""

LONGEST_SPACING_SECONDS: Final = 60.0 / (state.LOWEST_RPM * SEARCH_HEADROOM)
"""Of a searched limit."""
ROUNDING_SECONDS: Final = 0.001

UNLIMITED: Final = "unlimited"

Ceiling = float | Literal["unlimited"] | None
"""Requests per minute; `unlimited` honours only the API's pauses; None searches for the limit."""


def with_ceiling(pace: PaceState, ceiling: Ceiling) -> PaceState:
    """Return the pace under this ceiling; None starts or continues a search."""
    if ceiling is None:
        return pace if pace.search else _searched(pace, Search())
    rpm = None if ceiling == UNLIMITED else ceiling
    return pace if (pace.rpm, pace.search) == (rpm, None) else replace(pace, rpm=rpm, search=None)


def over_time(pace: PaceState, now: datetime) -> PaceState:
    if pace.search is None:
        return pace
    before = state.read(pace.search)
    after = rate_search.grown(before, now.timestamp())
    return pace if after is before else _searched(pace, after)


def found_rate(pace: PaceState) -> float | None:
    """Return the searched limit in requests per minute; None if the limit is configured or nothing was ever refused."""
    return state.read(pace.search).limit if pace.search else None


def permitted(pace: PaceState, now: datetime, limit: int) -> int:
    if is_paused(pace, now):
        return 0
    spacing = _spacing(pace, now)
    if spacing is None:
        return min(limit, rate_search.allowed(state.read(pace.search), now.timestamp())) if pace.search else limit
    return min(limit, _due(pace, now, spacing))


def after_starts(pace: PaceState, now: datetime, started: int) -> PaceState:
    if started == 0:
        return pace
    spacing = _spacing(pace, now)
    if pace.search is not None:
        pace = _searched(pace, rate_search.after_starts(state.read(pace.search), now.timestamp(), started))
    if spacing is None:
        return pace
    next_start_at = _earliest(pace, now, spacing) + timedelta(seconds=started * spacing)
    return replace(pace, next_start_at=next_start_at, recent=_recent(pace).after(now, started))


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
    """Return the pace after a 429: all calls wait for the API's reset time, else for a backoff with full jitter.

    Refusals of calls already in flight when the pause began belong to it: they can only move its end to a later reset
    time.
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
        had_reset = reset_at is not None and started_at is not None and reset_at > started_at
        until = _backed_off(pace, now, rng, had_reset=had_reset)
    return replace(pace, paused_until=until, strikes=pace.strikes + 1, message=message)


def after_success(pace: PaceState, *, started_at: datetime) -> PaceState:
    """Return the pace after an accepted call: strikes are reset if it began after the pause."""
    if pace.strikes == 0 or (pace.paused_until is not None and started_at < pace.paused_until):
        return pace
    return replace(pace, strikes=0, message=None)


def earlier(pace: PaceState, seconds: float) -> PaceState:
    """Return the pace with every time moved back, after the clock has stepped back."""
    step = timedelta(seconds=seconds)
    return replace(
        pace,
        next_start_at=pace.next_start_at and pace.next_start_at - step,
        paused_until=pace.paused_until and pace.paused_until - step,
        search=pace.search and state.kept(state.earlier(state.read(pace.search), seconds)),
        recent=_recent(pace).earlier(step),
    )


def is_paused(pace: PaceState, now: datetime) -> bool:
    return pace.paused_until is not None and pace.paused_until > now


def next_chance(pace: PaceState, now: datetime) -> datetime:
    if is_paused(pace, now) and pace.paused_until is not None:
        return pace.paused_until
    spacing = _spacing(pace, now)
    if spacing is not None:
        return max(now, _earliest(pace, now, spacing))
    if pace.search is None:
        return now
    return max(now, datetime.fromtimestamp(rate_search.next_step(state.read(pace.search), now.timestamp()), UTC))


def _backed_off(pace: PaceState, now: datetime, rng: random.Random, *, had_reset: bool) -> datetime:
    """Return when to retry after a refusal without a reset time, or (`had_reset`) with one that has passed."""
    strikes = max(0, pace.strikes - PATIENT_STRIKES) if had_reset and pace.search else pace.strikes
    cap = SEARCH_CAP_SECONDS if pace.search and pace.strikes < PATIENT_STRIKES else BACKOFF_CAP_SECONDS
    until = now + timedelta(seconds=rng.uniform(0, min(cap, BACKOFF_SECONDS * 2 ** min(strikes, 20))))
    if pace.search is None or had_reset:
        return until
    clear = rate_search.clear_at(state.read(pace.search), now.timestamp())
    return max(until, datetime.fromtimestamp(clear, UTC))


def _searched(pace: PaceState, found: Search) -> PaceState:
    return replace(pace, rpm=found.limit, search=state.kept(found))


def _spacing(pace: PaceState, now: datetime) -> float | None:
    """Return the seconds between two starts, or None without a limit."""
    if pace.search is None:
        return None if pace.rpm is None else 60.0 / (pace.rpm * HEADROOM)
    found = state.read(pace.search)
    if found.phase is Phase.FREE:
        return None
    # A late tick would start a probe's calls in one burst, and most of it would be refused.
    rate = found.known if found.phase is Phase.PROBING and _is_late(pace, now) else found.rate
    return 60.0 / (rate * SEARCH_HEADROOM)


def _due(pace: PaceState, now: datetime, spacing: float) -> int:
    """Return how many starts are due. What a late tick catches up must fit into the minute that ends now."""
    due = _due_since(_earliest(pace, now, spacing), now, spacing)
    room = int((WINDOW_SECONDS + CATCH_UP_SECONDS) / spacing) + 1 - _recent(pace).count(now)
    if _has_settled(pace, now):
        return max(0, min(due, room))
    # The last minute may hold calls at another rate, which the API has refused or forgotten.
    return min(due, max(room, _due_since(now - timedelta(seconds=CATCH_UP_SECONDS), now, spacing)))


def _due_since(earliest: datetime, now: datetime, spacing: float) -> int:
    return 0 if earliest > now else int((now - earliest).total_seconds() / spacing) + 1


def _recent(pace: PaceState) -> Recent:
    return pace.recent if isinstance(pace.recent, Recent) else Recent()


def _has_settled(pace: PaceState, now: datetime) -> bool:
    if pace.search is None:
        return True
    found = state.read(pace.search)
    return found.phase is Phase.STEADY and now.timestamp() - found.changed_at >= WINDOW_SECONDS


def _is_late(pace: PaceState, now: datetime) -> bool:
    return pace.next_start_at is not None and _due_from(pace.next_start_at, pace, now) < now - timedelta(
        seconds=CATCH_UP_SECONDS
    )


def _earliest(pace: PaceState, now: datetime, spacing: float) -> datetime:
    """When the next start is or was due. A time further ahead than any spacing was written before the clock stepped
    back.
    """
    farthest = now + timedelta(seconds=max(spacing, LONGEST_SPACING_SECONDS) + ROUNDING_SECONDS)
    if pace.next_start_at is None or pace.next_start_at > farthest:
        return now
    return _due_from(pace.next_start_at, pace, now)


def _due_from(next_start_at: datetime, pace: PaceState, now: datetime) -> datetime:
    """Limit what a tick catches up: to twice the time since the last tick, or to a lease's length if that is unknown.

    Twice, because the minute's limit may have kept the last tick from catching up.
    """
    seconds = CATCH_UP_SECONDS
    if pace.ticked_at is None:
        seconds = LATE_SECONDS if now - next_start_at <= timedelta(seconds=2 * LATE_SECONDS) else seconds
    elif (gap := (now - pace.ticked_at).total_seconds()) > CATCH_UP_SECONDS:
        seconds = min(2 * gap, LATE_SECONDS)
    return max(next_start_at, now - timedelta(seconds=seconds))
