"""What the passing of time does to jobs: those due are queued, late ones expire, lost messages and dead workers are
made up for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from worker.store import workers
from worker.store.queries import counters
from worker.store.transitions import dispatches, rescues

HEARTBEAT_LAPSE_SECONDS: Final = 8.0
"""A worker that was not heard of for so long is given up, and its jobs go on elsewhere."""
DOUBT_SECONDS: Final = HEARTBEAT_LAPSE_SECONDS / 2
"""Age from which an unclaimed message may have died with a worker that is given up now: its last sign of life came
twice as long ago, and it beat four times as often."""
BLIND_SECONDS: Final = 3.0
"""A gap between two looks at the database from which on silence may be the database's own."""
REGAIN_SECONDS: Final = 3.0
"""After such a gap every worker gets the time for a beat before it is given up."""
APART_SECONDS: Final = 20.0
"""Between the last attempts of jobs that were lost together: longer than a call of the slowest model."""


@dataclass(slots=True)
class Rescue:
    """Looks for dead workers, unless the database was away and all heartbeats are old."""

    max_attempts: int
    looked_at: datetime | None = None
    blind_until: datetime | None = None

    def note_look(self, now: datetime) -> None:
        """After an outage of the database all heartbeats are old, and none of their workers need be dead."""
        if self.looked_at is not None and (now - self.looked_at).total_seconds() > BLIND_SECONDS:
            self.blind_until = now + timedelta(seconds=REGAIN_SECONDS)
        self.looked_at = now

    def run_once(self, connection: Connection, now: datetime) -> None:
        """Give up the workers that are silent for too long, and take their jobs."""
        if self.blind_until is not None and now < self.blind_until:
            return
        limit = now - timedelta(seconds=HEARTBEAT_LAPSE_SECONDS)
        dead = [member for member in workers.present(connection) if member.heartbeat_at < limit]
        abandoned = rescues.abandoned(connection, started_before=limit)
        if not dead and not abandoned:
            return
        owners = [*(member.id for member in dead), *abandoned]
        rescued = rescues.rescue(
            connection, owners, max_attempts=self.max_attempts, now=now, apart_seconds=APART_SECONDS
        )
        for worker_id in abandoned:
            log.warning("worker_lost", worker=str(worker_id), reason="it had been given up, and claimed once more")
        for member in dead:
            workers.sign_off(connection, member.id, now=now)
            silent = round((now - member.heartbeat_at).total_seconds(), 1)
            log.warning("worker_lost", worker=str(member.id), host=member.host, pid=member.pid, silent_seconds=silent)
        # Messages that died with a worker, between the broker and its claim, are not told apart from those that still
        # wait in the broker. All are sent anew: a second message for the same turn changes nothing.
        unclaimed = dispatches.give_up_messages(connection, sent_before=now - timedelta(seconds=DOUBT_SECONDS))
        log.warning("rescued", requeued=rescued.requeued, failed=rescued.failed, unclaimed=unclaimed)


CHORES_SECONDS: Final = 0.25
"""Promotion, expiry and rescue need no finer clock than this."""
FOLD_SECONDS: Final = 1.0
"""What has changed in so short a time is soon read; see `worker.store.queries.counters`."""

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Housekeeping:
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
        dispatches.promote(connection, now=now)
        if expired := dispatches.expire(connection, now=now):
            log.info("expired", jobs=expired)
        overdue = now - timedelta(seconds=self.dispatch_timeout)
        if lost := dispatches.give_up_messages(connection, sent_before=overdue):
            log.warning("messages_lost", jobs=lost)
        self.rescue.run_once(connection, now)
        if self.fold_due is None or now >= self.fold_due:
            self.fold_due = now + timedelta(seconds=FOLD_SECONDS)
            counters.fold(connection)
