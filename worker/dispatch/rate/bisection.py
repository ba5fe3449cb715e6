"""Narrows in on a rate limit: upwards from a first estimate, then between an accepted and a refused rate. Pure.

Two kinds of limit look alike at first. With calls counted per minute, the number accepted in a minute is the limit,
however fast they came. With a token bucket, the accepted rate is the limit, however few calls were accepted before. A
count that a later minute repeats indicates the first kind; otherwise the interval of rates is halved.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from worker.dispatch.rate import goodput
from worker.dispatch.rate.goodput import WINDOW_SECONDS
from worker.dispatch.rate.state import Phase, Search, bounded

LEAST_RPM: Final = 5.0
"""The lowest limit that the vendor publishes, and the lower bound of the first estimate."""
GROWTH: Final = 2.0
CONFIRM_SECONDS: Final = 10.0
CONFIRM_CALLS: Final = 3
"""A rate is confirmed after this many calls without a refusal."""
DEMAND: Final = 0.7
"""Share of the rate that must have been used before it may grow: an idle queue proves nothing."""
AGAIN: Final = 1.15
AGAIN_SECONDS: Final = 45.0
"""The same count this much later comes from other calls: a limit per minute."""
AMPLE: Final = 1.25
"""Ratio of accepted calls to the confirmed rate from which on the rate does not rest on a few calls."""
CLOSE: Final = 1.06
CLOSE_RPM: Final = 4.0
"""Interval that ends the bisection."""
MARGIN: Final = 0.98
FALL: Final = 0.9
"""Factor to fall by if the accepted count is no guide because it predates the change of the limit."""
QUICK_SECONDS: Final = 120.0
TRIAL_CALLS: Final = 20.0
"""A slow account lets this many calls' worth of refused probes pass before it tries a slightly higher rate."""


def estimated(search: Search, accepted: float) -> Search:
    estimate = max(LEAST_RPM, accepted)
    return replace(search, phase=Phase.STARTING, rate=estimate, known=estimate, fresh=())


def corrected(search: Search) -> Search:
    """Correct a first estimate that counted calls refused a moment later."""
    untouched = search.changed_at == search.refused_at and search.ceiling is None
    if search.phase is not Phase.STARTING or not untouched:
        return search
    return estimated(search, goodput.of_minute(search.accepted, search.refused_at))


def is_confirmed(search: Search, now: float) -> bool:
    """Return whether the rate has been used long enough without a refusal."""
    seconds = min(WINDOW_SECONDS, max(CONFIRM_SECONDS, CONFIRM_CALLS * WINDOW_SECONDS / search.rate))
    return now - search.changed_at >= seconds and was_used(search, now, seconds)


def was_used(search: Search, now: float, seconds: float) -> bool:
    """Return whether demand was high enough to test the rate."""
    return goodput.since(search.accepted, now - seconds) >= DEMAND * search.rate * seconds / WINDOW_SECONDS


def risen(search: Search, now: float) -> Search:
    search = replace(search, falls=0, changed_at=now)
    if search.ceiling is None:
        return replace(search, floor=search.rate, rate=bounded(search.rate * GROWTH))
    return halved(search, search.rate, search.ceiling)


def refused(search: Search, accepted: float, now: float) -> Search:
    if search.floor is None:
        return fallen(search, accepted, now)
    again = accepted <= search.known * AGAIN and now - search.refused_at >= AGAIN_SECONDS
    if again or (search.ceiling is None and accepted >= search.floor * AMPLE):
        return settled(search, min(search.floor, (accepted + 1) * MARGIN))  # one call more or less is noise
    return halved(replace(search, known=accepted), search.floor, search.rate)


def halved(search: Search, floor: float, ceiling: float) -> Search:
    """Bisect the interval, or settle on its lower end if it is small enough."""
    if ceiling <= floor * CLOSE or ceiling - floor <= CLOSE_RPM:
        return settled(search, floor)
    middle = math.sqrt(floor * ceiling)
    return replace(search, phase=Phase.STARTING, rate=middle, floor=floor, ceiling=ceiling)


def fallen(search: Search, accepted: float, now: float) -> Search:
    """Reopen the interval below a settled rate that was refused."""
    ceiling = max(search.ceiling or 0.0, search.rate)
    search = replace(search, phase=Phase.STARTING, known=accepted, floor=None, ceiling=ceiling)
    if accepted < search.rate * FALL:
        return replace(search, rate=accepted * MARGIN)
    falls = search.falls + 1 if now - search.changed_at < QUICK_SECONDS else 1
    return replace(search, rate=search.rate * FALL**falls, falls=falls)


def settled(search: Search, rate: float) -> Search:
    patience = math.ceil(TRIAL_CALLS / rate)
    search = replace(search, phase=Phase.STEADY, rate=rate, known=rate, patience=patience, fruitless=0)
    return replace(search, floor=None, ceiling=None)
