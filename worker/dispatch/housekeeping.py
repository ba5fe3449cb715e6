"""Time-driven changes: queues jobs that are due, expires late ones, and recovers lost messages and dead workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from worker.store import totals, workers
from worker.store.queries import counters
from worker.store.totals import Key, Name
from worker.store.transitions import dispatches, rescues

HEARTBEAT_LAPSE_SECONDS: Final = 8.0
"""A worker silent for longer is given up, and its jobs are retried elsewhere."""
DOUBT_SECONDS: Final = HEARTBEAT_LAPSE_SECONDS / 2
"""Age at which an unclaimed message may have died with a worker given up now: its last heartbeat is twice as old, and
heartbeats come four times as often."""
BLIND_SECONDS: Final = 3.0
"""A gap between two ticks from which on missing heartbeats may be the database's fault."""
REGAIN_SECONDS: Final = 3.0
"""After such a gap every worker has this long to send a heartbeat."""
APART_SECONDS: Final = 20.0
"""Spacing of the last attempts of jobs lost together: longer than a call of the slowest model."""


@dataclass(slots=True)
class Rescue:
    """Finds dead workers, except after a database outage, when all heartbeats are old."""

    max_attempts: int
    read_at: datetime | None = None
    blind_until: datetime | None = None

    def note_read(self, now: datetime) -> None:
        """Record a successful read of the database, and detect outages by the gaps."""
        if self.read_at is not None and (now - self.read_at).total_seconds() > BLIND_SECONDS:
            self.blind_until = now + timedelta(seconds=REGAIN_SECONDS)
        self.read_at = now

    def regain(self, now: datetime) -> None:
        """Give every worker time for a heartbeat, after the clock has stepped back."""
        self.read_at, self.blind_until = now, now + timedelta(seconds=REGAIN_SECONDS)

    def run_once(self, connection: Connection, now: datetime) -> None:
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
            log.warning("worker_lost", worker=str(worker_id), reason="claimed a job after it had been given up")
        totals.add(connection, {Key(Name.WORKERS_LOST): len(owners)})
        for member in dead:
            workers.sign_off(connection, member.id, now=now)
            silent = round((now - member.heartbeat_at).total_seconds(), 1)
            log.warning("worker_lost", worker=str(member.id), host=member.host, pid=member.pid, silent_seconds=silent)
        # Messages lost with a worker before their claim cannot be distinguished from those still in the broker.
        # All are published again: a second message for the same attempt has no effect.
        unclaimed = dispatches.give_up_messages(connection, sent_before=now - timedelta(seconds=DOUBT_SECONDS))
        log.warning("rescued", requeued=rescued.requeued, failed=rescued.failed, unclaimed=unclaimed)


INTERVAL_SECONDS: Final = 0.25
"""Minimum interval of promotion, expiry and rescue."""
FOLD_SECONDS: Final = 1.0
"""Minimum interval of folding the counters; see `worker.store.queries.counters`."""

FOLD_TOTALS_SECONDS: Final = 60.0
"""The same of `worker.store.totals`, whose rows come once a request, not once a statement."""

log = structlog.get_logger("ttsq.dispatch")


@dataclass(slots=True)
class Housekeeping:
    dispatch_timeout: float
    rescue: Rescue
    due: datetime | None = None
    fold_due: datetime | None = None
    totals_due: datetime | None = None

    def run_once(self, connection: Connection, now: datetime) -> None:
        if self.due is not None and now < self.due:
            return
        self.due = now + timedelta(seconds=INTERVAL_SECONDS)
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
        if self.totals_due is None or now >= self.totals_due:
            self.totals_due = now + timedelta(seconds=FOLD_TOTALS_SECONDS)
            totals.fold(connection)
