"""Finding the rate limit, which the vendor does not say: a slow start, a fall-back, and rare bold probes. Pure.

At first the rate doubles every ten seconds until a 429 comes. What was accepted in the minute before it is then the
limit as far as anyone can tell. From there on the rate is doubled now and then for a moment: if nothing is refused,
the limit has grown; if something is, one refusal was the price, and nothing is lost, because what was sent early in
a window need not be sent late in it.

Its weakness: with a limit of a few calls a minute it takes a quarter of an hour to notice that the limit has grown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

FIRST_RPM: Final = 10.0
LOWEST_RPM: Final = 1.0
HIGHEST_RPM: Final = 60_000.0
GROWTH_SECONDS: Final = 10.0
"""The slow start doubles this often."""
WINDOW_SECONDS: Final = 60.0
"""The span over which limits a minute are counted."""
BUCKET_SECONDS: Final = 1.0
PROBE_CALLS: Final = 75
PROBE_SECONDS: Final = 90.0
"""A probe costs about one refusal: one in 75 calls keeps refusals under two percent of a slow account's calls."""
PROBE_FACTOR: Final = 2.0
PROVEN_SECONDS: Final = 65.0
"""A probe that met no refusal for longer than any window has shown that the limit is higher."""
CREEP_FACTOR: Final = 1.1
CREEP_EVIDENCE: Final = 1.04
"""Accepted over known: from here on the limit may have been taken for a little too low."""
CLEAR: Final = 0.97
MARGIN: Final = 0.98
FALL: Final = 0.9
"""The fall where what was accepted tells nothing better, because it reaches back to before the limit changed."""
QUICK_SECONDS: Final = 120.0
TRUSTED_SECONDS: Final = 180.0
"""A raised rate that was not refused for so long is the account's own; a bucket's savings are spent by then."""
DEMAND: Final = 0.7
"""The share of the rate that must have been used before it may grow: an idle queue proves nothing."""
CREEP_PATIENCE: Final = 4


class Phase(StrEnum):
    """What the search is doing."""

    STARTING = "starting"
    """Doubling, because nothing was ever refused."""
    STEADY = "steady"
    """Staying under the limit that was found."""
    PROBING = "probing"
    """Twice as fast for a moment, to see whether the limit has grown."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is known of the limit. Times are seconds on any clock that only goes forward."""

    phase: Phase = Phase.STARTING
    rate: float = FIRST_RPM
    """Calls a minute to start now."""
    known: float = FIRST_RPM
    """Calls a minute that were never refused for long."""
    changed_at: float = 0.0
    """When the rate last changed."""
    refused_at: float = float("-inf")
    """When the last pause began; refusals of calls that started before it belong to it."""
    calls: int = 0
    """Accepted since the last probe ended."""
    settling_until: float = float("-inf")
    """Until here refusals are the echo of a probe's burst, and say nothing about the limit."""
    falls: int = 0
    """Falls in quick succession; each is deeper than the one before."""
    raised_from: float | None = None
    """The rate before it was last raised: where a refusal soon after leads back to."""
    patience: int = 0
    """Probes to let pass before the rate is raised a little again."""
    accepted: tuple[tuple[int, int], ...] = ()
    """Calls accepted in the last minute, by second."""


def after_starts(search: Search, now: float, started: int) -> Search:
    """Calls were let go. They count as accepted until a refusal says otherwise."""
    if started == 0:
        return search
    second = int(now / BUCKET_SECONDS)
    kept = list(_recent(search, now))
    if kept and kept[-1][0] == second:
        kept[-1] = (second, kept[-1][1] + started)
    else:
        kept.append((second, started))
    return replace(search, accepted=tuple(kept), calls=search.calls + started)


def after_refusal(search: Search, started_at: float, now: float) -> Search:
    """A call was refused. The first refusal of a burst decides; the others only correct the count."""
    search = _uncounted(search, started_at)
    if started_at <= search.refused_at:
        return search
    accepted = goodput(search, started_at)
    if search.phase is Phase.PROBING:
        fallen = replace(_after_probe(search, accepted), settling_until=now + WINDOW_SECONDS)
    elif started_at < search.settling_until:
        return replace(search, refused_at=now)
    elif search.raised_from is not None:
        fallen = replace(search, known=search.raised_from, raised_from=None, patience=CREEP_PATIENCE)
    else:
        falls = search.falls + 1 if now - search.changed_at < QUICK_SECONDS else 1
        fallen = replace(search, known=_fallen(search.rate, accepted, falls), falls=falls)
    known = min(HIGHEST_RPM, max(LOWEST_RPM, fallen.known))
    return replace(fallen, phase=Phase.STEADY, rate=known, known=known, changed_at=now, refused_at=now, calls=0)


def grown(search: Search, now: float) -> Search:
    """The search after time has passed without a refusal: it grows, begins a probe, or believes one."""
    age = now - search.changed_at
    match search.phase:
        case Phase.STARTING if age >= GROWTH_SECONDS and _was_used(search, now, GROWTH_SECONDS):
            return replace(search, rate=min(HIGHEST_RPM, search.rate * 2), changed_at=now)
        case Phase.PROBING if age >= PROVEN_SECONDS and _was_used(search, now, WINDOW_SECONDS):
            return replace(
                search, phase=Phase.STEADY, known=search.rate, changed_at=now, calls=0, raised_from=search.known
            )
        case Phase.STEADY if age >= PROBE_SECONDS and search.calls >= PROBE_CALLS:
            if not _was_used(search, now, WINDOW_SECONDS):
                return search
            faster = min(HIGHEST_RPM, search.known * PROBE_FACTOR)
            return replace(search, phase=Phase.PROBING, rate=faster, changed_at=now, raised_from=None)
        case Phase.STEADY if age >= TRUSTED_SECONDS and search.raised_from is not None:
            return replace(search, raised_from=None)
        case _:
            return search


def goodput(search: Search, until: float) -> float:
    """Calls a minute that were accepted in the minute up to `until`."""
    return float(sum(count for second, count in search.accepted if until - WINDOW_SECONDS < second + BUCKET_SECONDS))


def clear_at(search: Search, now: float) -> float:
    """When the minute's accepted calls will have thinned out to under the known limit: the pause without a stamp."""
    excess = goodput(search, now) - search.known * CLEAR
    for second, count in search.accepted:
        if excess <= 0:
            break
        excess -= count
        now = max(now, second + BUCKET_SECONDS + WINDOW_SECONDS)
    return now


def _after_probe(search: Search, accepted: float) -> Search:
    """A probe was refused: the limit hasn't doubled, but it may be a little higher than was known."""
    if accepted <= search.known * CREEP_EVIDENCE or search.patience > 0:
        return replace(search, patience=max(0, search.patience - 1))
    return replace(search, known=min(accepted, search.known * CREEP_FACTOR), raised_from=search.known)


def _fallen(rate: float, accepted: float, falls: int) -> float:
    return accepted * MARGIN if accepted < rate * MARGIN else rate * FALL**falls


def _recent(search: Search, now: float) -> Iterator[tuple[int, int]]:
    oldest = now - WINDOW_SECONDS - BUCKET_SECONDS
    return ((second, count) for second, count in search.accepted if second >= oldest)


def _uncounted(search: Search, started_at: float) -> Search:
    """Take a refused call out of what was accepted, in its own second or the nearest before."""
    kept = list(search.accepted)
    for index in range(len(kept) - 1, -1, -1):
        second, count = kept[index]
        if second <= started_at / BUCKET_SECONDS and count > 0:
            kept[index] = (second, count - 1)
            break
    return replace(search, accepted=tuple(kept), calls=max(0, search.calls - 1))


def _was_used(search: Search, now: float, seconds: float) -> bool:
    used = sum(count for second, count in search.accepted if second >= now - seconds)
    return used >= DEMAND * search.rate * seconds / WINDOW_SECONDS
