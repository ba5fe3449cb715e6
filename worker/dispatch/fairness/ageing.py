"""Raises the urgency of lanes that wait while others are served, so that no priority starves another.

A lane ages from the submission of its head or from its last service, whichever is later, so a long batch that is served
steadily keeps its priority. While nothing is served at all, as behind a closed gate, no lane ages. A new leader has no
memory: lanes age from its first tick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from worker.store.transitions.dispatches import Lane

MAX_REMEMBERED: Final = 20_000
"""When exceeded, the half that was served longest ago is forgotten."""


def urgency(priority: int, waited_seconds: float, step_seconds: float, top: int) -> int:
    """Add one to the priority per step waited, up to `top`, the most urgent waiting priority."""
    return min(top, priority + max(0, int(waited_seconds // step_seconds)))


@dataclass(slots=True)
class Ageing:
    """Remembers when lanes were last served, in Unix seconds, like the timestamps in job ids."""

    step_seconds: float
    max_remembered: int = MAX_REMEMBERED
    _began: float | None = None
    _latest: float = 0.0
    _served: dict[Lane, float] = field(default_factory=dict)

    def forget(self) -> None:
        self._began, self._latest, self._served = None, 0.0, {}

    def urgencies(self, lanes: Sequence[Lane], now: datetime) -> dict[Lane, int]:
        began = self._began = now.timestamp() if self._began is None else self._began
        top = max((lane.priority for lane in lanes), default=0)
        return {
            lane: urgency(lane.priority, self._latest - self._waits_since(lane, began), self.step_seconds, top)
            for lane in lanes
        }

    def serve(self, lane: Lane, now: datetime) -> None:
        self._latest = self._served[lane] = now.timestamp()
        if len(self._served) > self.max_remembered:
            latest = sorted(self._served.items(), key=lambda item: item[1])[-self.max_remembered // 2 :]
            self._served = dict(latest)

    def _waits_since(self, lane: Lane, began: float) -> float:
        return max(lane.since, self._served.get(lane, began))
