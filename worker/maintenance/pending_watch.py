"""Asks for all leader tasks at once whether they have anything to do, and wakes those that have.

Most of what comes is announced by a notification, after which it asks as well. Weakness: work that nothing announces,
such as that of an older version, begins up to `POLL_SECONDS` late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from worker.maintenance.leader_task import LeaderTask
from worker.store import pending
from worker.store.database import Database
from worker.store.pending import Pending

POLL_SECONDS: Final = 1.0
POOLED_POLL_SECONDS: Final = 0.1
"""The same behind a pooler, where no notification arrives."""


def poll_seconds(database: Database) -> float:
    return POOLED_POLL_SECONDS if database.is_pooled else POLL_SECONDS


@dataclass(slots=True)
class PendingWatch:
    database: Database
    found: Pending = field(default_factory=Pending)
    tasks: Sequence[LeaderTask] = ()
    """To be set before the watch starts."""
    _led: bool = False

    def run_once(self) -> bool:
        """Ask once. Returns False: the rest can wait. Raises SQLAlchemyError."""
        with self.database.glance() as connection:
            found = pending.for_tasks(connection)
        before, self.found, self._led = [task.is_pending() for task in self.tasks], found, True
        for task, was_pending in zip(self.tasks, before, strict=True):
            if task.is_pending() and not was_pending:
                task.wake()
        return False

    def on_follower(self) -> None:
        """Wake every task once after the lead is lost, so that it forgets what it knew as a leader."""
        if self._led:
            self._led, self.found = False, Pending()
            for task in self.tasks:
                task.wake()
