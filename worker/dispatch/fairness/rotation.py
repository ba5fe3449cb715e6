"""Whose turn it is: of tenants, and of each one's lanes, those that were served longest ago go first.

A tick may have room for one job alone. Without a memory of the ticks before, the first of the alphabet would always get
it. A new leader begins with none, which costs nobody more than one turn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from worker.store.transitions.dispatches import Lane

MAX_LANES: Final = 500
"""Lanes that one tick looks at; each costs a statement or two."""


class LookAt(Protocol):
    """Finds lanes that have someone waiting, in falling order, behind `after`."""

    def __call__(self, *, most: int, after: Lane | None = None) -> list[Lane]: ...


@dataclass(slots=True)
class Window:
    """Remembers how far down the last look got."""

    most: int = MAX_LANES
    _reached: Lane | None = None

    def look(self, at: LookAt) -> list[Lane]:
        """The lanes of this tick, in falling order."""
        half = self.most // 2
        urgent = at(most=half)
        if len(urgent) < half:
            self._reached = None
            return urgent
        end = urgent[-1]
        begin = end if self._reached is None else min(end, self._reached)
        others = at(most=half, after=begin)
        # At the bottom it turns back to the top.
        self._reached = others[-1] if len(others) == half else None
        return urgent + others


MAX_REMEMBERED: Final = 20_000
"""Of more, the half that was served longest ago is forgotten: it goes first all the same."""

Tenant = tuple[int, str]
"""A tenant's jobs of one priority."""


@dataclass(slots=True)
class Rotation:
    """When tenants and lanes were served last, counted in jobs."""

    most: int = MAX_REMEMBERED
    _served: dict[Tenant | Lane, int] = field(default_factory=dict)
    _count: int = 0

    def in_order(self, lanes: Iterable[Lane]) -> list[Lane]:
        """The lanes in the order of their turns; those that were never served in falling order of their keys."""
        return sorted(sorted(lanes, reverse=True), key=self._waited)

    def serve(self, lane: Lane) -> None:
        """A job of this lane has got its turn."""
        self._count += 1
        self._served[lane.priority, lane.tenant] = self._served[lane] = self._count
        if len(self._served) > self.most:
            latest = sorted(self._served.items(), key=lambda item: item[1])[-self.most // 2 :]
            self._served = dict(latest)

    def _waited(self, lane: Lane) -> tuple[int, int]:
        return self._served.get((lane.priority, lane.tenant), 0), self._served.get(lane, 0)
