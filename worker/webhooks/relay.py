"""Reads events, creates their deliveries, and sends a message to a worker for each one due."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from worker.store.access import hooks, idempotency, joined_requests
from worker.store.database import Database
from worker.store.outbox import deliveries, events
from worker.store.outbox.deliveries import Due
from worker.webhooks.delivery import LEASE_SECONDS

POLL_SECONDS: Final = 0.25
"""How often it runs unless it is woken: at the latest then a retry is due."""
MAX_UNDER_WAY: Final = 64
MAX_EACH: Final = 8
"""Runs, and so concurrent requests, to one endpoint: a receiver that hangs occupies no more threads than these."""
CLEANUP_SECONDS: Final = 600.0
KEPT: Final = timedelta(days=30)
"""How long delivery logs, and the names of inbound deliveries, are kept."""
EVENTS_KEPT: Final = timedelta(days=90)
"""Readers that are away for longer miss events; the jobs themselves remain."""

Post = Callable[[Sequence[Due]], Sequence[Due]]
"""Publishes one message per delivery; returns those that could not be sent."""


@dataclass(slots=True)
class OutboxRelay:
    """Need not run alone: two at once only send some messages twice."""

    database: Database
    post: Post
    clock: Callable[[], float] = time.monotonic
    _cleanup_at: float = 0.0

    def run_once(self) -> bool:
        """Relay once; when idle, delete old rows from time to time."""
        more = self.relay_once()
        if not more:
            self._clean_up()
        return more

    def relay_once(self) -> bool:
        """Create deliveries for new events, and publish those due. Returns whether there may be more to do at once."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            if not deliveries.is_anything_due(connection, now=now):
                return False
        with self.database.begin() as connection:
            read = deliveries.address(connection, now=now)
            lease = now + timedelta(seconds=LEASE_SECONDS)
            due = deliveries.take_due(connection, most=MAX_UNDER_WAY, each=MAX_EACH, lease_until=lease, now=now)
        # Published after the commit, because a message must never be ahead of its row.
        unsent = self.post(due) if due else ()
        if unsent:
            with self.database.begin() as connection:
                deliveries.unsend(connection, unsent, now=now)
        return bool(read) and not unsent

    def _clean_up(self) -> None:
        if self.clock() < self._cleanup_at:
            return
        self._cleanup_at = self.clock() + CLEANUP_SECONDS
        with self.database.begin() as connection:
            now = self.database.now(connection)
            deliveries.forget(connection, finished_before=now - KEPT)
            hooks.forget(connection, received_before=now - KEPT)
            idempotency.forget(connection, made_before=now - idempotency.KEPT)
            joined_requests.forget(connection, made_before=now - idempotency.KEPT)
            events.forget(connection, written_before=now - EVENTS_KEPT)
