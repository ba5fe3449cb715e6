"""Sums the ledger by the minute for the console's charts. One process of the installation does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from worker.store import activity
from worker.store.database import Database

POLL_SECONDS: Final = 15.0


@dataclass(slots=True)
class ActivitySummary:
    database: Database
    _summed: datetime | None = field(default=None)
    """The latest minute that this process has summed."""

    def run_once(self) -> bool:
        """Sum the next minute. Returns whether there may be another. Raises SQLAlchemyError."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            minute = activity.next_minute(connection, after=self._summed, now=now)
        if minute is None:
            return False
        with self.database.begin() as connection:
            activity.sum_minute(connection, minute)
            activity.forget(connection, now=now)
        self._summed = minute
        return True
