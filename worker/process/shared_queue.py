"""The queue `ttsq`, which workers of early versions read, and which producers may name.

Early versions had one queue name for every installation, so installations that shared a Redis took each other's
messages. Now each has a queue of its own, and one of them reads the shared one as well: the first that took it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from worker.dispatch.housekeeping import HEARTBEAT_LAPSE_SECONDS
from worker.store import workers
from worker.store.database import Database

SHARED_QUEUE: Final = "ttsq"
OWNER_KEY: Final = "ttsq.owner"
"""A key of Redis with the id of the installation that reads the shared queue."""


def own_queue(installation: str) -> str:
    return f"{SHARED_QUEUE}-{installation[:12]}"


@dataclass(slots=True)
class SharedQueue:
    """What one worker knows of the shared queue."""

    database: Database
    is_ours: bool = False
    """Whether this installation reads it."""
    may_take: bool = True
    """Whether it may be taken if no installation has it: not after another one had it, whose claim a flushed broker
    merely forgot."""
    _has_early_workers: bool = False

    def look(self) -> None:
        """See whether workers of an early version are alive in this installation. Raises SQLAlchemyError."""
        with self.database.read() as connection:
            limit = self.database.now(connection) - timedelta(seconds=HEARTBEAT_LAPSE_SECONDS)
            self._has_early_workers = any(
                member.queue == SHARED_QUEUE and member.heartbeat_at >= limit for member in workers.present(connection)
            )

    def for_early_workers(self) -> str | None:
        """The queue that reaches workers of early versions too, while there are any; None otherwise."""
        return SHARED_QUEUE if self.is_ours and self._has_early_workers else None
