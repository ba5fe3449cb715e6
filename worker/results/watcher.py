"""Finds batches whose jobs have all finished, and sends a message to a worker for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from worker.store.database import Database
from worker.store.transitions import completion

POLL_SECONDS: Final = 0.5
BATCHES_PER_POLL: Final = 500
"""Unfinished batches per poll; the next poll continues after them."""
FIRST_WAIT_SECONDS: Final = 15.0
MAX_WAIT_SECONDS: Final = 600.0
"""Until a message counts as lost. Doubled each time, because a batch may be long, or its store may be down."""
FROM_THE_TOP: Final = UUID(int=0)

Announce = Callable[[Sequence[UUID]], object]
"""Publishes one message per batch. Messages that could not be sent are repeated like lost ones."""


@dataclass(frozen=True, slots=True)
class Sent:
    again_at: float
    wait_seconds: float


@dataclass(slots=True)
class FinishedBatchWatcher:
    database: Database
    announce: Announce
    clock: Callable[[], float] = time.monotonic
    _sent: dict[UUID, Sent] = field(default_factory=dict)
    _after: UUID = FROM_THE_TOP

    def on_follower(self) -> None:
        """Forget what was sent: the new leader keeps its own record."""
        self._sent.clear()

    def run_once(self) -> bool:
        """Publish those of the next unfinished batches that may be complete. Returns False: the rest can wait."""
        began = self._after
        with self.database.read() as connection:
            ready, next_after = completion.unfinished(connection, after=began, most=BATCHES_PER_POLL)
        self._after = next_after or FROM_THE_TOP
        # Forget batches that are finished or have running jobs again, so that their next end is published at once.
        for batch_id in self._sent.keys() - set(ready):
            if began < batch_id and (next_after is None or batch_id <= next_after):
                del self._sent[batch_id]
        if due := self._due(ready):
            self.announce(due)
        return False

    def _due(self, ready: Sequence[UUID]) -> list[UUID]:
        now, due = self.clock(), list[UUID]()
        for batch_id in ready:
            before = self._sent.get(batch_id)
            if before is not None and before.again_at > now:
                continue
            seconds = FIRST_WAIT_SECONDS if before is None else min(MAX_WAIT_SECONDS, before.wait_seconds * 2)
            self._sent[batch_id] = Sent(now + seconds, seconds)
            due.append(batch_id)
        return due
