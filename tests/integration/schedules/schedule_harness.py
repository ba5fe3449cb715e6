"""A scheduler and its runner on a database, with time passed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import select

from tests.factories import ORIGIN
from worker.schedules.runner import ScheduleRunner
from worker.schedules.scheduler import Scheduler
from worker.store import schedules
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.schedules import RunKey, RunRecord, RunState, ScheduleRecord
from worker.store.tables.jobs import Batch, Job

ONCE_A_YEAR: Final = "0 0 1 1 *"
"""What is due in a test was made so; the next time is far away."""
EVERY_MINUTE: Final = "* * * * *"
MINUTE: Final = timedelta(minutes=1)
SECOND: Final = timedelta(seconds=1)
PASSWORD: Final = "correct-horse"


@dataclass(slots=True)
class ScheduleHarness:
    """A database with schedules, a scheduler and a runner, and the messages between them."""

    database: Database
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    sent: list[RunKey] = field(default_factory=list)

    @property
    def scheduler(self) -> Scheduler:
        return Scheduler(self.database, self.sent.extend)

    @property
    def runner(self) -> ScheduleRunner:
        return ScheduleRunner(self.database, ORIGIN, None, self.variables.get)

    def now(self) -> datetime:
        """The database's time, to the second before."""
        with self.database.read() as connection:
            return self.database.now(connection).replace(microsecond=0)

    def sheet(self, text: str = "text\nGood night.\nSleep well.\n", name: str = "nightly.csv") -> str:
        """A file to submit."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def add(self, **columns: Any) -> ScheduleRecord:  # noqa: ANN401 - any column
        """A schedule that was due a moment ago."""
        now = self.now()
        plain: dict[str, Any] = {
            "tenant": "default",
            "name": "nightly",
            "cron": ONCE_A_YEAR,
            "timezone": "UTC",
            "options": "{}",
        }
        times = {"catch_up_seconds": 3_600, "created_at": now, "next_due_at": now - SECOND}
        source = {} if "source" in columns else {"source": self.sheet()}
        schedule = ScheduleRecord(**(plain | times | source | columns))
        with self.database.begin() as connection:
            assert schedules.add(connection, schedule)
        return schedule

    def poll(self, *, after: timedelta = timedelta(0)) -> list[RunKey]:
        """The runs that one tick of the scheduler sends, now or `after`."""
        self.sent.clear()
        self.scheduler.run_once(self.now() + after)
        return list(self.sent)

    def runs(self) -> list[RunRecord]:
        """All runs of `nightly`."""
        with self.database.read() as connection:
            return schedules.runs(connection, "default", "nightly", most=100)

    def batches(self) -> dict[UUID, list[str]]:
        """The submitted texts of each batch."""
        with self.database.read() as connection:
            rows = connection.execute(select(Batch.id, Job.text).join(Job, Job.batch_id == Batch.id).order_by(Job.id))
            found: dict[UUID, list[str]] = {}
            for batch, text in rows:
                found.setdefault(batch, []).append(text)
            return found

    def events_of(self, kind: str) -> Sequence[events.Event]:
        with self.database.read() as connection:
            return events.after(connection, 0, most=100, types=[kind])

    def run_due(self) -> list[RunState | None]:
        """Poll once, and execute the runs; returns their states."""
        return [self.runner.run(key) for key in self.poll()]


@pytest.fixture
def harness(database: Database, tmp_path: Path) -> ScheduleHarness:
    return ScheduleHarness(database, tmp_path)
