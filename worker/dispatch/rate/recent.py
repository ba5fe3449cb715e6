"""Calls started in the last minute, counted by tick. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from worker.dispatch.rate.goodput import WINDOW_SECONDS

MERGED: Final = timedelta(seconds=0.1)
"""Ticks closer than this share an entry, with the time of the later one."""
_WINDOW: Final = timedelta(seconds=WINDOW_SECONDS)


@dataclass(frozen=True, slots=True)
class Recent:
    entries: tuple[tuple[datetime, int], ...] = ()
    """Time and count, the oldest first."""
    total: int = 0

    def count(self, now: datetime) -> int:
        """Return how many calls started less than a minute ago."""
        return self.total - sum(count for _, count in self.entries[: self._gone(now)])

    def after(self, now: datetime, started: int) -> Recent:
        kept, total = self.entries[self._gone(now) :], self.count(now) + started
        if len(kept) > 1 and now - kept[-2][0] < MERGED:
            return Recent((*kept[:-1], (now, kept[-1][1] + started)), total)
        return Recent((*kept, (now, started)), total)

    def earlier(self, step: timedelta) -> Recent:
        return Recent(tuple((at - step, count) for at, count in self.entries), self.total)

    def _gone(self, now: datetime) -> int:
        since = now - _WINDOW
        return next((index for index, (at, _) in enumerate(self.entries) if at > since), len(self.entries))
