"""Moves documents on when their parts have ended: to the join, or to a failure that names the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import Connection

from api_models.status import JobStatus
from worker.documents.stored_plan import StoredPlan
from worker.store import documents, notifications
from worker.store.database import Database
from worker.store.transitions import documents as transitions
from worker.store.transitions.documents import Failure

POLL_SECONDS: Final = 0.5

log = structlog.get_logger("ttsq.documents")


@dataclass(frozen=True, slots=True)
class DocumentKeeper:
    database: Database

    def run_once(self) -> bool:
        """Advance every document that waits for its parts. Raises SQLAlchemyError."""
        with self.database.read() as connection:
            found = transitions.waiting(connection)
        if not found:
            return False
        with self.database.begin() as connection:
            failures = {one.row.id: failure(connection, one.row.id) for one in found if one.has_failed}
            moved = transitions.advance(connection, found, failures, now=self.database.now(connection))
            if moved:
                notifications.announce(connection)
        if moved:
            log.info("documents_advanced", documents=moved, failed=len(failures))
        return False


def failure(connection: Connection, document: UUID) -> Failure:
    """Return the reason for which a document can't be joined: its first part without audio, and its place."""
    parts = [part for part in documents.chosen(connection, document) if part.status is not JobStatus.SUCCEEDED]
    record = documents.by_id(connection, document)
    first, others = parts[0], len(parts) - 1
    place = f"part {first.part:,}"
    if record is not None and record.plan:
        place = StoredPlan.decode(record.plan).place(first.part, first.text)
    more = f" {others:,} more parts have no audio either." if others else ""
    reason = first.message or f"It is {first.status}."
    return Failure(first.code or str(first.status), f"{place[0].upper()}{place[1:]}: {reason}{more}")
