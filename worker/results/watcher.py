"""The lookout: finds batches whose jobs are all over, and wakes a worker for each. `run_once` is one look."""

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
"""Of those that aren't finished; where there are more, the next look goes on behind them."""
FIRST_WAIT_SECONDS: Final = 15.0
LONGEST_WAIT_SECONDS: Final = 600.0
"""Before a message counts as lost; the wait doubles, because a batch may also be long, or its store in trouble."""
FROM_THE_TOP: Final = UUID(int=0)

Announce = Callable[[Sequence[UUID]], object]
"""Sends a message a batch. What can't be sent is sent again as if it had been lost."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, and when it is sent again."""

    again_at: float
    wait_seconds: float


@dataclass(slots=True)
class FinishedBatchWatcher:
    """Done by the process that leads."""

    database: Database
    announce: Announce
    clock: Callable[[], float] = time.monotonic
    _sent: dict[UUID, Sent] = field(default_factory=dict)
    _after: UUID = FROM_THE_TOP

    def look(self) -> bool:
        """`run_once`. What is left for the next look can wait for it."""
        self.run_once()
        return False

    def on_follower(self) -> None:
        """Somebody else leads: what was sent is theirs to know."""
        self._sent.clear()

    def run_once(self) -> None:
        """Look at the next batches that aren't finished, and send for those that could be."""
        began = self._after
        with self.database.read() as connection:
            ready, behind = completion.unfinished(connection, after=began, most=BATCHES_PER_POLL)
        self._after = behind or FROM_THE_TOP
        # What is finished, or goes on, is sent for at once when it is over the next time.
        for batch_id in self._sent.keys() - set(ready):
            if began < batch_id and (behind is None or batch_id <= behind):
                del self._sent[batch_id]
        if due := self._due(ready):
            self.announce(due)

    def _due(self, ready: Sequence[UUID]) -> list[UUID]:
        """Those that were never sent for, or so long ago that the message counts as lost."""
        now, due = self.clock(), list[UUID]()
        for batch_id in ready:
            before = self._sent.get(batch_id)
            if before is not None and before.again_at > now:
                continue
            seconds = FIRST_WAIT_SECONDS if before is None else min(LONGEST_WAIT_SECONDS, before.wait_seconds * 2)
            self._sent[batch_id] = Sent(now + seconds, seconds)
            due.append(batch_id)
        return due
