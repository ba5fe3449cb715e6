"""Detects a restored database: it is older than what this machine last saw.

A worker stores its heartbeat time next to its spool. In a restored database the worker's row is older or missing.
Limitation: a machine that never used the old database detects nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from worker.environment import private_files
from worker.store import workers
from worker.store.database import Database
from worker.store.outbox import events

NAME: Final = "database.seen"
TOLERANCE: Final = timedelta(seconds=60)
"""Replication lag after a failover is no restore."""
REMEDY: Final = "if it was restored: stop all workers and run `ttsq restore-check` (docs/restore.md)"


@dataclass(frozen=True, slots=True)
class _Seen:
    database: str
    worker: UUID
    at: datetime

    @classmethod
    def read(cls, file: Path) -> Self | None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(file.read_text(encoding="utf-8"))
            return cls(known["database"], UUID(known["worker"]), datetime.fromisoformat(known["at"]))
        return None


@dataclass(frozen=True, slots=True)
class RestoreSign:
    """One machine's file for one database."""

    database: Database
    folder: Path

    def note(self, worker_id: UUID, *, now: datetime) -> None:
        """Store this heartbeat's database time. Write errors are ignored."""
        known = {"database": self._address(), "worker": str(worker_id), "at": now.isoformat()}
        fresh = self.folder / f"{NAME}.{os.getpid()}"
        with suppress(OSError):
            private_files.write(fresh, json.dumps(known).encode())
            fresh.replace(self.folder / NAME)

    def is_behind(self) -> bool:
        """Whether the database lost what this machine saw, without a restore check since. Raises SQLAlchemyError."""
        seen = _Seen.read(self.folder / NAME)
        if seen is None or seen.database != self._address():
            return False
        with self.database.read() as connection:
            beat = workers.heartbeat(connection, seen.worker)
            if beat is not None and beat >= seen.at - TOLERANCE:
                return False
            return not events.happened_since(connection, events.RESTORED, seen.at)

    def _address(self) -> str:
        """Hashed, without the password: the file reveals no URL."""
        return hashlib.sha256(self.database.url.render_as_string(hide_password=True).encode()).hexdigest()
