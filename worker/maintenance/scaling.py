"""Records what the view `ttsq_scaling` cannot compute in SQL: how many queued jobs a budget holds.

Weakness: without a worker the record is not kept, so an installation scaled to none does not notice that a budget was
raised, or that a month began. Keep one worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from worker.store import scaling
from worker.store.database import Database
from worker.store.queries import backlog

POLL_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class ScalingReport:
    database: Database

    def run_once(self) -> bool:
        """Record a changed number. Raises SQLAlchemyError."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            held = backlog.held_by_budget(connection, now=now)
            known = scaling.held_by_budget(connection)
        if held != known:
            with self.database.begin() as connection:
                scaling.record(connection, held, now=now)
        return False
