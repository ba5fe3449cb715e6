"""How fast jobs end, and how long the rest will take at that rate. Pure: it is told the time."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 60.0
"""The stretch that the rate is taken over: long enough for slow models, short enough to follow a change."""
SPACING_SECONDS: Final = 0.5
LEAST_SECONDS: Final = 1.0
"""Before this much has been seen, any rate would be a guess."""


class Meter:
    """Fed with the number of jobs that are over."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, finished: int, at: float) -> None:
        """`finished` jobs were over at `at` (seconds of a steady clock)."""
        while len(self._seen) > 1 and self._seen[1][0] <= at - WINDOW_SECONDS:
            self._seen.popleft()
        if len(self._seen) > 1 and at - self._seen[-2][0] < SPACING_SECONDS:
            self._seen.pop()
        self._seen.append((at, finished))

    def per_minute(self) -> float | None:
        """Jobs a minute; None while nothing can be said."""
        if not self._seen:
            return None
        (since, before), (until, after) = self._seen[0], self._seen[-1]
        if until - since < LEAST_SECONDS:
            return None
        return (after - before) * 60 / (until - since)

    def seconds_left(self, remaining: int) -> float | None:
        """Until `remaining` jobs are over; None while nothing can be said."""
        rate = self.per_minute()
        return remaining * 60 / rate if rate else None
