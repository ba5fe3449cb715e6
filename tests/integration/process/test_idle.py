"""An idle worker asks its database little, and waits for no disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from tests.cluster.waiting import wait_for
from tests.speaking import speaking
from worker.store.database import Database

MAX_PER_SECOND: Final = 6.0
RENEWALS: Final = 5
"""How often the lease is renewed while statements are counted."""
PATIENCE: Final = 60.0
FULL: Final = 2


@dataclass(slots=True)
class Count:
    """Statements of this process, and transactions that write and wait for the disk."""

    statements: list[str] = field(default_factory=list)
    syncs: int = 0

    @property
    def renewals(self) -> int:
        return sum("UPDATE leases" in statement for statement in self.statements)

    def clear(self) -> None:
        self.statements.clear()
        self.syncs = 0


@contextmanager
def counting() -> Iterator[Count]:
    count = Count()

    def note(connection: Connection, cursor: Any, statement: str, *_: object) -> None:  # noqa: ANN401, ARG001 - SQLAlchemy's event
        if not statement.startswith("BEGIN"):
            count.statements.append(statement)
        if statement == "BEGIN IMMEDIATE":
            own = connection.connection.driver_connection
            assert own is not None
            count.syncs += own.execute("PRAGMA synchronous").fetchone()[0] == FULL

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield count
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_an_idle_worker_asks_little(database: Database, tmp_path: Path) -> None:
    """At most six statements a second while there is nothing to do, and no commit that waits for the disk; then a job
    begins at once, though nothing polls for it.
    """
    with speaking(database, tmp_path) as started, counting() as count:

        def rests() -> bool:
            return any("EXISTS" in statement and "gates.closed" in statement for statement in count.statements)

        wait_for(lambda: rests() and count.renewals > 2, seconds=PATIENCE, what="rest")
        time_at_rest = time.monotonic()
        count.clear()
        wait_for(lambda: count.renewals >= RENEWALS, seconds=PATIENCE, what="renewed leases")
        seconds, statements, syncs = time.monotonic() - time_at_rest, list(count.statements), count.syncs
        assert len(statements) <= MAX_PER_SECOND * seconds + MAX_PER_SECOND, statements
        assert syncs == 0
        assert started.client.post("/v1/jobs", {"text": "The ferry leaves."}, Prefer="wait=30").status in {200, 201}
