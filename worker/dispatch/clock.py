"""Notices that the database's clock has stepped back. Memory only, except for the first tick of a process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from worker.store import clock_steps, workers

STEP_SECONDS: Final = 1.0
"""Smaller steps delay nothing that matters."""


@dataclass(slots=True)
class ClockWatch:
    """Compares the time of each tick, also a follower's, with the one before."""

    _latest: datetime | None = None

    def begin(self, connection: Connection, lease_seconds: float) -> None:
        """Before the first tick of this process: read what others have written last."""
        if self._latest is None:
            self._latest = clock_steps.latest_written(connection, workers.DISPATCHER, lease_seconds)

    def stepped_back(self, now: datetime) -> float:
        """Return by how many seconds the clock has stepped back since the last tick; 0.0 for less than a second."""
        step = (self._latest - now).total_seconds() if self._latest is not None else 0.0
        return step if step > STEP_SECONDS else 0.0

    def note(self, now: datetime) -> None:
        """Record the time of a tick once it is committed."""
        self._latest = now
