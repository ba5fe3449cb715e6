"""Searches for the rate limit, which the vendor does not publish: a ramp, a slow start, and rare probes. Pure.

Until the first refusal there is only the ramp (`ramp`). The first 429 ends it: the calls accepted in the minute before
are the first estimate, the rate grows until the next refusal, and `bisection` narrows in on the limit. After that, the
rate is doubled now and then for a moment. Without a refusal the limit has grown; with one, the refusal was the price,
and no throughput is lost, because calls sent early in a window need not be sent late in it.

Weakness: with a limit of a few calls per minute it takes a quarter of an hour to notice that the limit has grown; 429s
at random, whatever the rate, push it down all the same.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from worker.dispatch.rate import bisection, goodput, ramp
from worker.dispatch.rate.goodput import WINDOW_SECONDS
from worker.dispatch.rate.state import Phase, Search, bounded

ECHO_SECONDS: Final = 0.5
"""A call dispatched before a pause may start this much later."""
PROBE_CALLS: Final = 75
PROBE_SECONDS: Final = 90.0
"""Interval of probes. A probe costs about one refusal: one in 75 calls keeps refusals under 2 % of a slow account's
calls."""
PROBE_FACTOR: Final = 2.0
PROVEN_SECONDS: Final = 65.0
"""A probe without a refusal for longer than any window proves a higher limit."""
TRUSTED_SECONDS: Final = 180.0
"""A raised rate not refused for this long is confirmed: the savings of a token bucket are spent by then."""
SETTLED_SOONER_SECONDS: Final = 15.0
"""Each refusal attributed to a probe shortens the time for which later ones are."""
EVIDENCE: Final = 1.04
"""Ratio of accepted to known calls from which on the limit may have been set a little too low."""
PATIENCE: Final = 4
RAISED_MUCH: Final = 1.5
RAISED_RPM: Final = 10.0
FRUITLESS_PROBES: Final = 8
FRUITLESS_CALLS: Final = 720.0
"""After this many refused probes (on a slow account: calls' worth of them) the bisection restarts: a bucket with small
savings shows no other sign of growth below a factor of two."""
CLEAR: Final = 0.97


def allowed(search: Search, now: float) -> int:
    return ramp.allowed(search.fresh, goodput.of_minute(search.accepted, now), now)


def next_step(search: Search, now: float) -> float:
    return ramp.next_step(search.fresh, goodput.of_minute(search.accepted, now), now)


def after_starts(search: Search, now: float, started: int) -> Search:
    """Count started calls as accepted until a refusal says otherwise."""
    if started == 0:
        return search
    fresh = ramp.fresh(search.fresh, now, started) if search.phase is Phase.FREE else ()
    accepted = goodput.counted(search.accepted, now, started)
    return replace(search, accepted=accepted, fresh=fresh, calls=search.calls + started)


def after_refusal(search: Search, started_at: float, now: float) -> Search:
    """Apply a refusal. The first one of a burst decides; the others only correct the count."""
    search = replace(search, accepted=goodput.uncounted(search.accepted, started_at), calls=max(0, search.calls - 1))
    if started_at <= search.refused_at + ECHO_SECONDS:
        return bisection.corrected(search)
    if search.phase is Phase.STEADY and started_at < search.settling_until:
        return replace(search, refused_at=now, settling_until=search.settling_until - SETTLED_SOONER_SECONDS)
    lower = _lower(search, goodput.of_minute(search.accepted, started_at), now)
    rate, known = bounded(lower.rate), bounded(lower.known)
    return replace(lower, rate=rate, known=known, changed_at=now, refused_at=now, calls=0)


def grown(search: Search, now: float) -> Search:
    """Advance the search without a refusal: grow, begin a probe, or confirm one."""
    age = now - search.changed_at
    match search.phase:
        case Phase.STARTING if bisection.is_confirmed(search, now):
            return bisection.risen(search, now)
        case Phase.PROBING if age >= PROVEN_SECONDS and bisection.was_used(search, now, WINDOW_SECONDS):
            proven = replace(search, phase=Phase.STEADY, known=search.rate, raised_from=search.known)
            return replace(proven, changed_at=now, calls=PROBE_CALLS)
        case Phase.STEADY if _may_probe(search, now):
            faster = bounded(search.known * PROBE_FACTOR)
            return replace(search, phase=Phase.PROBING, rate=faster, changed_at=now, raised_from=None)
        case Phase.STEADY if age >= TRUSTED_SECONDS and search.raised_from is not None:
            return replace(search, raised_from=None)
        case _:
            return search


def clear_at(search: Search, now: float) -> float:
    """Return when the last minute's calls fall below the known limit: the end of a pause without a reset time."""
    return goodput.thinned_at(search.accepted, min(search.known, search.rate) * CLEAR, now)


def _lower(search: Search, accepted: float, now: float) -> Search:
    match search.phase:
        case Phase.FREE:
            return bisection.estimated(search, accepted)
        case Phase.STARTING:
            return bisection.refused(search, accepted, now)
        case Phase.PROBING:
            return replace(_after_probe(search, accepted), settling_until=now + WINDOW_SECONDS)
        case Phase.STEADY if search.raised_from is not None:
            return _taken_back(search, search.raised_from, accepted)
        case Phase.STEADY:
            return bisection.fallen(search, accepted, now)


def _may_probe(search: Search, now: float) -> bool:
    long_enough = now - search.changed_at >= PROBE_SECONDS and search.calls >= PROBE_CALLS
    return long_enough and bisection.was_used(search, now, WINDOW_SECONDS)


def _after_probe(search: Search, accepted: float) -> Search:
    """Apply the refusal of a probe: the limit has not doubled, but may be slightly higher than known."""
    known, fruitless = search.known, search.fruitless + 1
    back = replace(search, phase=Phase.STEADY, rate=known, patience=max(0, search.patience - 1), fruitless=fruitless)
    if fruitless >= max(FRUITLESS_PROBES, FRUITLESS_CALLS / known):
        return bisection.halved(replace(back, known=accepted), known, search.rate)
    if search.patience > 0 or accepted <= known * EVIDENCE + 1:
        return back
    raised = math.sqrt(known * accepted)
    return replace(back, rate=raised, known=raised, raised_from=known, fruitless=0)


def _taken_back(search: Search, before: float, accepted: float) -> Search:
    """Undo a raise that was refused soon after: back to the earlier rate, or halfway after a large raise."""
    search = replace(search, raised_from=None, patience=PATIENCE)
    if search.rate > max(before * RAISED_MUCH, before + RAISED_RPM):
        return bisection.halved(replace(search, known=accepted), before, search.rate)
    return replace(search, rate=before, known=before)
