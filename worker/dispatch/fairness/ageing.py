"""How urgent a lane has become by waiting while others were served, so that no priority starves another.

A lane ages from when its head was handed in, or when the lane was last served, whichever is later; so a long batch that
is served all the time stays what it is. While nothing is served at all, as behind a closed gate, nobody ages. A new
leader begins with no memory, and lanes age for it from its first look on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from worker.store.transitions.dispatches import Lane

MAX_REMEMBERED: Final = 20_000
"""Of more lanes, the half that was served longest ago is forgotten: they have waited longest."""


def urgency(priority: int, waited_seconds: float, step_seconds: float, top: int) -> int:
    """A priority that grows by one for every step waited, up to that of the most urgent lane that waits, `top`."""
    return min(top, priority + max(0, int(waited_seconds // step_seconds)))


@dataclass(slots=True)
class Ageing:
    """Remembers when lanes were served last; in seconds since 1970, as the times in jobs' ids are."""

    step_seconds: float
    most: int = MAX_REMEMBERED
    _began: float | None = None
    _latest: float = 0.0
    _served: dict[Lane, float] = field(default_factory=dict)

    def forget(self) -> None:
        """Another dispatcher leads."""
        self._began, self._latest, self._served = None, 0.0, {}

    def urgencies(self, lanes: Sequence[Lane], now: datetime) -> dict[Lane, int]:
        """How urgent each of the lanes that wait is now."""
        began = self._began = now.timestamp() if self._began is None else self._began
        top = max((lane.priority for lane in lanes), default=0)
        return {
            lane: urgency(lane.priority, self._latest - self._waits_since(lane, began), self.step_seconds, top)
            for lane in lanes
        }

    def serve(self, lane: Lane, now: datetime) -> None:
        """A job of this lane has got its turn."""
        self._latest = self._served[lane] = now.timestamp()
        if len(self._served) > self.most:
            latest = sorted(self._served.items(), key=lambda item: item[1])[-self.most // 2 :]
            self._served = dict(latest)

    def _waits_since(self, lane: Lane, began: float) -> float:
        return max(lane.since, self._served.get(lane, began))
