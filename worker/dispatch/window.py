"""Which lanes a tick looks at: the most urgent ones always, and of the others, part by part, all in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from worker.store.transitions.dispatching import Lane

MOST_LANES: Final = 500
"""Lanes that one tick looks at; each costs a statement or two."""


class LookAt(Protocol):
    """Finds lanes that have someone waiting, in falling order, behind `after`."""

    def __call__(self, *, most: int, after: Lane | None = None) -> list[Lane]: ...


@dataclass(slots=True)
class Window:
    """Remembers how far down the last look got."""

    most: int = MOST_LANES
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
