"""Round robin over tenants, and over the lanes of each: those served longest ago go first.

A tick may have room for a single job. Without memory of earlier ticks the alphabetically first lane would always win. A
new leader starts without memory, which costs a lane at most one turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from worker.store.transitions.dispatches import Lane

MAX_LANES: Final = 500
"""Lanes read per tick; each costs a statement or two."""


class ReadLanes(Protocol):
    """Returns lanes with queued jobs, in descending order, after `after`."""

    def __call__(self, *, most: int, after: Lane | None = None) -> list[Lane]: ...


@dataclass(slots=True)
class Window:
    """Remembers how far down the last tick has read."""

    max_lanes: int = MAX_LANES
    _reached: Lane | None = None

    def read(self, read_lanes: ReadLanes) -> list[Lane]:
        half = self.max_lanes // 2
        urgent = read_lanes(most=half)
        if len(urgent) < half:
            self._reached = None
            return urgent
        end = urgent[-1]
        begin = end if self._reached is None else min(end, self._reached)
        others = read_lanes(most=half, after=begin)
        # Wraps around at the end.
        self._reached = others[-1] if len(others) == half else None
        return urgent + others


MAX_REMEMBERED: Final = 20_000
"""When exceeded, the half that was served longest ago is forgotten: those lanes go first anyway."""

Tenant = tuple[int, str]
"""Priority and tenant."""


@dataclass(slots=True)
class Rotation:
    """Remembers when tenants and lanes were last served, counted in jobs."""

    max_remembered: int = MAX_REMEMBERED
    _served: dict[Tenant | Lane, int] = field(default_factory=dict)
    _count: int = 0

    def in_order(self, lanes: Iterable[Lane]) -> list[Lane]:
        """Sort lanes by turn; lanes never served come in descending order of their keys."""
        return sorted(sorted(lanes, reverse=True), key=self._waited)

    def serve(self, lane: Lane) -> None:
        self._count += 1
        self._served[lane.priority, lane.tenant] = self._served[lane] = self._count
        if len(self._served) > self.max_remembered:
            latest = sorted(self._served.items(), key=lambda item: item[1])[-self.max_remembered // 2 :]
            self._served = dict(latest)

    def _waited(self, lane: Lane) -> tuple[int, int]:
        return self._served.get((lane.priority, lane.tenant), 0), self._served.get(lane, 0)
