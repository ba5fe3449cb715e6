"""Carries out operations on many jobs, one page a transaction. One process of the installation does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from worker.store import operations
from worker.store.database import Database

POLL_SECONDS: Final = 1.0

log = structlog.get_logger("ttsq.operations")


@dataclass(frozen=True, slots=True)
class OperationRunner:
    database: Database
    changed: Callable[[], object]
    """Called after a page was carried out: removals are due, or jobs may start."""

    def run_once(self) -> bool:
        """Advance the oldest open operation by a page. Returns whether there may be more. Raises SQLAlchemyError."""
        with self.database.read() as connection:
            record = operations.next_open(connection)
        if record is None:
            return False
        with self.database.begin() as connection:
            has_more = operations.advance(connection, record, now=self.database.now(connection))
        if record.state is operations.State.RUNNING:
            self.changed()
        if not has_more:
            log.info("operation_advanced", operation=str(record.id), action=record.action, was=record.state)
        return True
