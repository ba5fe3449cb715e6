"""How long to wait before the next poll. Pure: counts and dice come in."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

GROWTH: Final = 1.5
_MOST_GROWTHS: Final = 64
"""Beyond any use; powers much higher than this are no numbers any more."""

TROUBLE_CAP_SECONDS: Final = 30.0
"""The most that failing polls add to a wait."""


@dataclass(frozen=True, slots=True)
class Cadence:
    """Polls come quickly at first, when most runs end, then steadily; failing ones back off with jitter."""

    first_seconds: float
    last_seconds: float

    def wait(self, polls: int, troubles: int, rng: random.Random) -> float:
        """Seconds before the next poll, after `polls` of them of which the last `troubles` failed in a row."""
        steady = min(self.last_seconds, self.first_seconds * GROWTH ** min(polls, _MOST_GROWTHS))
        if not troubles:
            return steady
        return steady + rng.uniform(0, min(TROUBLE_CAP_SECONDS, steady * 2.0 ** min(troubles, _MOST_GROWTHS)))
