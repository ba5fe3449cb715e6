"""How fast calls may start: even spacing under a set or a searched limit, and the pauses the API asks for. Pure."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

from worker.dispatch import search as searching
from worker.dispatch.search import Phase, Search
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

AUTO: Final = "auto"


def with_ceiling(pace: PaceState, rpm: float | Literal["auto"] | None) -> PaceState:
    """The same pace under this ceiling in requests a minute; None lifts it, `auto` begins or goes on with a search."""
    if rpm == AUTO:
        return replace(pace, rpm=None, search=pace.search or _kept(Search()))
    return pace if (pace.rpm, pace.search) == (rpm, None) else replace(pace, rpm=rpm, search=None)


def over_time(pace: PaceState, now: datetime) -> PaceState:
    """The pace after time has passed: a search may grow."""
    if pace.search is None:
        return pace
    before = _searched(pace.search)
    after = searching.grown(before, now.timestamp())
    return pace if after is before else replace(pace, search=_kept(after))


def found_rate(pace: PaceState) -> float | None:
    """Requests a minute that the search holds for right; None where the limit is set, or nothing limits."""
    return _searched(pace.search).known if pace.search else None


def permitted(pace: PaceState, now: datetime, wanted: int) -> int:
    """How many calls may start now, at most `wanted`."""
    if is_paused(pace, now):
        return 0
    spacing = _spacing(pace)
    if spacing is None:
        return wanted
    earliest = _earliest(pace, now)
    if earliest > now:
        return 0
    return min(wanted, int((now - earliest).total_seconds() / spacing) + 1)


def after_starts(pace: PaceState, now: datetime, started: int) -> PaceState:
    """The pace once `started` calls were let go."""
    spacing = _spacing(pace)
    if spacing is None or started == 0:
        return pace
    if pace.search is not None:
        pace = replace(pace, search=_kept(searching.after_starts(_searched(pace.search), now.timestamp(), started)))
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
        pace = replace(pace, search=_kept(searching.after_refusal(_searched(pace.search), began, now.timestamp())))
    if pace.paused_until is not None and refused_at <= pace.paused_until:
        later = max(pace.paused_until, reset_at) if reset_at else pace.paused_until
        return replace(pace, paused_until=later)
    until = reset_at if reset_at and reset_at > now else _backed_off(pace, now, rng)
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
    return now if _spacing(pace) is None else max(now, _earliest(pace, now))


def _backed_off(pace: PaceState, now: datetime, rng: random.Random) -> datetime:
    """When to try again after a refusal that didn't say."""
    cap = SEARCH_CAP_SECONDS if pace.search and pace.strikes < PATIENT_STRIKES else BACKOFF_CAP_SECONDS
    until = now + timedelta(seconds=rng.uniform(0, min(cap, BACKOFF_SECONDS * 2 ** min(pace.strikes, 20))))
    if pace.search is None:
        return until
    clear = searching.clear_at(_searched(pace.search), now.timestamp())
    return max(until, datetime.fromtimestamp(clear, UTC))


def _spacing(pace: PaceState) -> float | None:
    """Seconds between two starts; None where nothing limits them."""
    if pace.search is not None:
        return 60.0 / (_searched(pace.search).rate * SEARCH_HEADROOM)
    return None if pace.rpm is None else 60.0 / (pace.rpm * HEADROOM)


@lru_cache(maxsize=16)
def _searched(kept: str) -> Search:
    values = json.loads(kept)
    accepted = tuple((int(second), int(count)) for second, count in values.pop("accepted"))
    return Search(**{**values, "phase": Phase(values["phase"]), "accepted": accepted})


def _kept(search: Search) -> str:
    return json.dumps(asdict(search))


def _earliest(pace: PaceState, now: datetime) -> datetime:
    """When the next start was due, but no longer ago than a late tick may make good."""
    floor = now - timedelta(seconds=CATCH_UP_SECONDS)
    return max(pace.next_start_at, floor) if pace.next_start_at else now
