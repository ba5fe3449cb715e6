"""What a search for the rate limit knows, and the form in which it is kept for the next leader."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from worker.dispatch.rate.goodput import Accepted
from worker.dispatch.rate.ramp import Fresh

LOWEST_RPM: Final = 1.0
HIGHEST_RPM: Final = 60_000.0


class Phase(StrEnum):
    """What the search is doing."""

    FREE = "free"
    """Nothing was ever refused, and nothing holds calls back but the ramp."""
    STARTING = "starting"
    """Growing from a first estimate, or closing in on a limit that lies between two rates."""
    STEADY = "steady"
    """Staying under the limit that was found."""
    PROBING = "probing"
    """Twice as fast for a moment, to see whether the limit has grown."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is known of the limit. Rates are calls a minute; times are seconds on any clock that only goes forward."""

    phase: Phase = Phase.FREE
    rate: float = LOWEST_RPM
    """The rate at which calls start now. It says nothing in FREE."""
    known: float = LOWEST_RPM
    """The rate that was never refused for long; in STARTING, the calls that the minute before the last refusal held."""
    changed_at: float = 0.0
    """When the rate last changed."""
    refused_at: float = float("-inf")
    """When the last pause began; refusals of calls that started before it belong to it."""
    calls: int = 0
    """Accepted since the last refusal."""
    settling_until: float = float("-inf")
    """Until here refusals are the echo of a probe's burst, and say nothing about the limit."""
    falls: int = 0
    """Falls in quick succession; each is deeper than the one before."""
    raised_from: float | None = None
    """The rate before it was last raised: where a refusal soon after leads back to."""
    patience: int = 0
    """Refused probes to let pass before the rate is raised a little."""
    fruitless: int = 0
    """Probes that were refused since the limit was found."""
    floor: float | None = None
    """Closing in: the highest rate that was borne for a while."""
    ceiling: float | None = None
    """Closing in: a rate that was refused."""
    accepted: Accepted = ()
    """The last minute's calls."""
    fresh: Fresh = ()
    """In FREE, the last moment's calls."""

    @property
    def limit(self) -> float | None:
        """The account's limit as far as it is known; None where nothing was ever refused."""
        if self.phase is Phase.FREE:
            return None
        return self.rate if self.phase is Phase.STARTING else self.known


def bounded(rate: float) -> float:
    """The rate, or the nearest that makes sense."""
    return min(HIGHEST_RPM, max(LOWEST_RPM, rate))


def kept(search: Search) -> str:
    """The JSON from which `read` makes the same search."""
    return json.dumps({name: getattr(search, name) for name in Search.__slots__})


@lru_cache(maxsize=16)
def read(text: str) -> Search:
    """The search that was kept, by this version or another: what it doesn't name is as in a new one."""
    values = {name: value for name, value in json.loads(text).items() if name in Search.__slots__}
    values["phase"] = Phase(values["phase"])
    values["accepted"] = tuple((int(second), int(count)) for second, count in values["accepted"])
    values["fresh"] = tuple((float(at), int(count)) for at, count in values.get("fresh", ()))
    return Search(**values)
