"""The lease of the dispatcher that leads: one row, renewed by every tick, which keeps it locked until its commit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from worker.store import workers
from worker.store.database import Database

RENEWAL_SECONDS: Final = 1.0
"""A tick that took longer renews its lease once more before it commits."""


@dataclass(slots=True)
class LeaderLease:
    database: Database
    me: UUID
    seconds: float
    monotonic: Callable[[], float] = time.monotonic
    _began: float = 0.0
    _valid_until: float = 0.0
    """On the monotonic clock, counted from before the lease was renewed."""

    def hold(self, connection: Connection, *, leads: bool) -> tuple[datetime, bool]:
        """Take or renew the lease. `leads`: whether the last tick had it. Returns the time, and whether it is held.

        The time is read when no lock has to be waited for any more: a lease that is written with an older one can be
        expired before others see it.
        """
        self._began = self.monotonic()
        if not leads and self._is_taken(connection):
            return self.database.now(connection), False
        # A follower doesn't wait for the row: the process that has it locked leads, however slowly.
        if not self.database.is_sqlite and not workers.lock_lease(connection, workers.DISPATCHER, wait=leads):
            return self.database.now(connection), False
        now = self.database.now(connection)
        return now, workers.hold(connection, workers.DISPATCHER, self.me, seconds=self.seconds, now=now)

    def keep(self, connection: Connection) -> datetime | None:
        """Renew the lease without locking it first. Returns the time; None if another process has it."""
        self._began, now = self.monotonic(), self.database.now(connection)
        is_kept = workers.hold(connection, workers.DISPATCHER, self.me, seconds=self.seconds, now=now)
        return now if is_kept else None

    def renew_if_slow(self, connection: Connection) -> None:
        """Renew the lease at the end of a slow tick, or it would be expired when the commit makes it visible."""
        began = self.monotonic()
        if began - self._began > RENEWAL_SECONDS:
            self._began, now = began, self.database.now(connection)
            workers.hold(connection, workers.DISPATCHER, self.me, seconds=self.seconds, now=now)

    def committed(self) -> None:
        self._valid_until = self._began + self.seconds

    @property
    def is_valid(self) -> bool:
        """Whether no other process can have the lease yet. Asks no database."""
        return self.monotonic() < self._valid_until

    def _is_taken(self, connection: Connection) -> bool:
        now = self.database.now(connection)
        return workers.is_taken(connection, workers.DISPATCHER, self.me, seconds=self.seconds, now=now)
