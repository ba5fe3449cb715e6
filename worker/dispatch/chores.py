"""What the passing of time does to jobs: those due are queued, late ones expire, lost messages and dead workers are
made up for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from worker.dispatch.rescue import Rescue
from worker.store import tallies
from worker.store.transitions import dispatching

CHORES_SECONDS: Final = 0.25
"""Promotion, expiry and rescue need no finer clock than this."""
FOLD_SECONDS: Final = 1.0
"""What has changed in so short a time is soon read; see `worker.store.tallies`."""

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Chores:
    """Done a few times a second, however often the dispatcher ticks."""

    dispatch_timeout: float
    rescue: Rescue
    due: datetime | None = None
    fold_due: datetime | None = None

    def run_once(self, connection: Connection, now: datetime) -> None:
        """Do them, if it is time."""
        if self.due is not None and now < self.due:
            return
        self.due = now + timedelta(seconds=CHORES_SECONDS)
        dispatching.promote(connection, now=now)
        if expired := dispatching.expire(connection, now=now):
            log.info("expired", jobs=expired)
        overdue = now - timedelta(seconds=self.dispatch_timeout)
        if lost := dispatching.give_up_messages(connection, sent_before=overdue):
            log.warning("messages_lost", jobs=lost)
        self.rescue.run_once(connection, now)
        if self.fold_due is None or now >= self.fold_due:
            self.fold_due = now + timedelta(seconds=FOLD_SECONDS)
            tallies.fold(connection)
