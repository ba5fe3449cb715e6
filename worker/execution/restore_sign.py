"""How far the database had come when this machine last saw it: a restored database is behind that.

A worker notes the time beside its spool. Its own row in a database that was restored since has an older heartbeat, or
is not there at all. Its weakness: a machine that was never seen by the old database sees nothing.
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

from worker.store import workers
from worker.store.database import Database
from worker.store.outbox import events

NAME: Final = "database.seen"
TOLERANCE: Final = timedelta(seconds=60)
"""A failover to a replica that is a little behind is no restore."""
REMEDY: Final = "if it was restored: stop all workers and run `ttsq restore-check` (docs/restore.md)"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the file says."""

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
        """This worker has just beaten at this time of the database. A file that can't be written is left out."""
        known = {"database": self._address(), "worker": str(worker_id), "at": now.isoformat()}
        fresh = self.folder / f"{NAME}.{os.getpid()}"
        with suppress(OSError):
            fresh.write_text(json.dumps(known), encoding="utf-8")
            fresh.replace(self.folder / NAME)

    def is_behind(self) -> bool:
        """Whether the database has lost what this machine has seen, and no check was made since. SQLAlchemyError."""
        seen = _Seen.read(self.folder / NAME)
        if seen is None or seen.database != self._address():
            return False
        with self.database.read() as connection:
            beat = workers.heartbeat(connection, seen.worker)
            if beat is not None and beat >= seen.at - TOLERANCE:
                return False
            return not events.happened_since(connection, events.RESTORED, seen.at)

    def _address(self) -> str:
        """Hashed, without the password: the file reveals no address."""
        return hashlib.sha256(self.database.url.render_as_string(hide_password=True).encode()).hexdigest()
