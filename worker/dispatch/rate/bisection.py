"""Closing in on a limit: from a first estimate upwards, then between a rate that was borne and one that wasn't. Pure.

Two kinds of limit look alike at first. Where calls are counted by the minute, what was accepted in a minute *is* the
limit, however fast it was. Where permits flow in, the rate that is borne is the limit, however few came through before.
A count that a later minute repeats speaks for the first kind; else the interval of rates is halved.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from worker.dispatch.rate import goodput
from worker.dispatch.rate.goodput import WINDOW_SECONDS
from worker.dispatch.rate.state import Phase, Search, bounded

LEAST_RPM: Final = 5.0
"""The lowest limit that the vendor publishes: no first estimate lies below it, and what is lower is soon found."""
GROWTH: Final = 2.0
BORNE_SECONDS: Final = 10.0
BORNE_CALLS: Final = 3
"""A rate is borne when it was used for so long, and so often, without a refusal."""
DEMAND: Final = 0.7
"""The share of the rate that must have been used before it may grow: an idle queue proves nothing."""
AGAIN: Final = 1.15
AGAIN_SECONDS: Final = 45.0
"""The same count so much later comes of other calls: it is a limit by the minute."""
AMPLE: Final = 1.25
"""Accepted over borne: with so many calls in the minute, the rate that was borne is no accident of a few."""
CLOSE: Final = 1.06
CLOSE_RPM: Final = 4.0
"""The interval is small enough."""
MARGIN: Final = 0.98
FALL: Final = 0.9
"""The fall where what was accepted tells nothing better, because it reaches back to before the limit changed."""
QUICK_SECONDS: Final = 120.0
TRIAL_CALLS: Final = 20.0
"""A slow account lets so many calls' worth of refused probes pass before it tries a little more."""


def estimated(search: Search, accepted: float) -> Search:
    """The first refusal of all: what came through is the first estimate."""
    estimate = max(LEAST_RPM, accepted)
    return replace(search, phase=Phase.STARTING, rate=estimate, known=estimate, fresh=())


def corrected(search: Search) -> Search:
    """The first estimate counted calls that were refused a moment later."""
    untouched = search.changed_at == search.refused_at and search.ceiling is None
    if search.phase is not Phase.STARTING or not untouched:
        return search
    return estimated(search, goodput.of_minute(search.accepted, search.refused_at))


def is_borne(search: Search, now: float) -> bool:
    """Whether the rate has been used for long enough."""
    seconds = min(WINDOW_SECONDS, max(BORNE_SECONDS, BORNE_CALLS * WINDOW_SECONDS / search.rate))
    return now - search.changed_at >= seconds and was_used(search, now, seconds)


def was_used(search: Search, now: float, seconds: float) -> bool:
    """Whether there was enough to do for the rate to be tried at all."""
    return goodput.since(search.accepted, now - seconds) >= DEMAND * search.rate * seconds / WINDOW_SECONDS


def risen(search: Search, now: float) -> Search:
    """The rate was borne: faster, as far as it is open."""
    search = replace(search, falls=0, changed_at=now)
    if search.ceiling is None:
        return replace(search, floor=search.rate, rate=bounded(search.rate * GROWTH))
    return halved(search, search.rate, search.ceiling)


def refused(search: Search, accepted: float, now: float) -> Search:
    """The rate was not borne."""
    if search.floor is None:
        return fallen(search, accepted, now)
    again = accepted <= search.known * AGAIN and now - search.refused_at >= AGAIN_SECONDS
    if again or (search.ceiling is None and accepted >= search.floor * AMPLE):
        return settled(search, min(search.floor, (accepted + 1) * MARGIN))  # a call more or less is chance
    return halved(replace(search, known=accepted), search.floor, search.rate)


def halved(search: Search, floor: float, ceiling: float) -> Search:
    """Half of the way between the two rates, or the lower one if they are close."""
    if ceiling <= floor * CLOSE or ceiling - floor <= CLOSE_RPM:
        return settled(search, floor)
    middle = math.sqrt(floor * ceiling)
    return replace(search, phase=Phase.STARTING, rate=middle, floor=floor, ceiling=ceiling)


def fallen(search: Search, accepted: float, now: float) -> Search:
    """A rate that was thought to be right was refused: below it something is borne, and above that it is open."""
    ceiling = max(search.ceiling or 0.0, search.rate)
    search = replace(search, phase=Phase.STARTING, known=accepted, floor=None, ceiling=ceiling)
    if accepted < search.rate * FALL:
        return replace(search, rate=accepted * MARGIN)
    falls = search.falls + 1 if now - search.changed_at < QUICK_SECONDS else 1
    return replace(search, rate=search.rate * FALL**falls, falls=falls)


def settled(search: Search, rate: float) -> Search:
    """The limit is found."""
    patience = math.ceil(TRIAL_CALLS / rate)
    search = replace(search, phase=Phase.STEADY, rate=rate, known=rate, patience=patience, fruitless=0)
    return replace(search, floor=None, ceiling=None)
