"""State of the search for the rate limit, and its stored form for the next leader."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from worker.dispatch.rate.goodput import Accepted
from worker.dispatch.rate.ramp import Fresh

LOWEST_RPM: Final = 1.0
HIGHEST_RPM: Final = 60_000.0


class Phase(StrEnum):
    FREE = "free"
    """Nothing was ever refused; only the ramp limits calls."""
    STARTING = "starting"
    """Growing from a first estimate, or bisecting between two rates."""
    STEADY = "steady"
    """Staying under the known limit."""
    PROBING = "probing"
    """Twice the rate for a moment, to test whether the limit has grown."""


@dataclass(frozen=True, slots=True)
class Search:
    """Rates are calls per minute; times are seconds of any monotonic clock."""

    phase: Phase = Phase.FREE
    rate: float = LOWEST_RPM
    """Current rate of starts. Unused in FREE."""
    known: float = LOWEST_RPM
    """Highest rate not refused for long; in STARTING, the calls in the minute before the last refusal."""
    changed_at: float = 0.0
    refused_at: float = float("-inf")
    """When the last pause began; refusals of calls that started earlier belong to it."""
    calls: int = 0
    """Calls accepted since the last refusal."""
    settling_until: float = float("-inf")
    """Until then refusals are the echo of a probe and no evidence about the limit."""
    falls: int = 0
    """Falls in quick succession; each is deeper than the one before."""
    raised_from: float | None = None
    """The rate before the last raise, restored by a refusal soon after it."""
    patience: int = 0
    """Refused probes to let pass before the rate is raised slightly."""
    fruitless: int = 0
    """Refused probes since the limit was found."""
    floor: float | None = None
    """Bisection: the highest confirmed rate."""
    ceiling: float | None = None
    """Bisection: a refused rate."""
    accepted: Accepted = ()
    fresh: Fresh = ()

    @property
    def limit(self) -> float | None:
        """Return the known limit of the account; None if nothing was ever refused."""
        if self.phase is Phase.FREE:
            return None
        return self.rate if self.phase is Phase.STARTING else self.known


def bounded(rate: float) -> float:
    return min(HIGHEST_RPM, max(LOWEST_RPM, rate))


def kept(search: Search) -> str:
    return json.dumps({name: getattr(search, name) for name in Search.__slots__})


def earlier(search: Search, seconds: float) -> Search:
    """Return the search with every time moved back, after the clock has stepped back."""
    return replace(
        search,
        changed_at=search.changed_at - seconds,
        refused_at=search.refused_at - seconds,
        settling_until=search.settling_until - seconds,
        accepted=tuple((math.floor(second - seconds), count) for second, count in search.accepted),
        fresh=tuple((at - seconds, count) for at, count in search.fresh),
    )


@lru_cache(maxsize=16)
def read(text: str) -> Search:
    """Restore a stored search, of this version or another: missing fields keep their defaults."""
    values = {name: value for name, value in json.loads(text).items() if name in Search.__slots__}
    values["phase"] = Phase(values["phase"])
    values["accepted"] = tuple((int(second), int(count)) for second, count in values["accepted"])
    values["fresh"] = tuple((float(at), int(count)) for at, count in values.get("fresh", ()))
    return Search(**values)
