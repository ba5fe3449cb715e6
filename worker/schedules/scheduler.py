"""The timekeeper: notes which schedules are due, and wakes workers for their runs. `run_once` is one look.

Two that look at once, as when one leader comes late, write each due time down once: its row has one place, and the
next time is set by whoever sees it first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from worker.schedules.cron import BadTimesError
from worker.schedules.due import step
from worker.store import schedules
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.schedules import RunKey, RunRecord, RunState, ScheduleRecord

POLL_SECONDS: Final = 0.5
SCHEDULES_PER_POLL: Final = 100
RUNS_PER_POLL: Final = 100
AGAIN_SECONDS: Final = 15.0
"""A message that nobody took up within so long counts as lost."""

Call = Callable[[Sequence[RunKey]], object]
"""Sends a message a run. What can't be sent is sent again as if it had been lost."""

log = structlog.get_logger("ttsq.schedules")


@dataclass(slots=True)
class Scheduler:
    """Done by the process that leads."""

    database: Database
    publish: Call

    def look(self) -> bool:
        """`run_once`. What is left for the next look can wait for it."""
        self.run_once()
        return False

    def run_once(self, now: datetime | None = None) -> None:
        """Write down what is due, and send for every run that nobody has in hand; `now` by the database's clock."""
        with self.database.read() as connection:
            now = now or self.database.now(connection)
            due = schedules.due(connection, now=now, most=SCHEDULES_PER_POLL)
            waiting = schedules.open_runs(connection, now=now, most=RUNS_PER_POLL)
        for schedule in due:
            self._fall_due(schedule, now)
        if due or waiting:
            self.publish(self._sent(now))

    def _fall_due(self, schedule: ScheduleRecord, now: datetime) -> None:
        with self.database.begin() as connection:
            try:
                _write(connection, schedule, now)
            except BadTimesError as error:
                # Only a program of another version, or other time zones, can have let it in.
                schedules.advance(connection, schedule, next_due_at=None)
                log.warning("schedule_stopped", schedule=schedule.name, tenant=schedule.tenant, error=str(error))

    def _sent(self, now: datetime) -> list[RunKey]:
        """The runs to be taken up now, noted as sent for."""
        again_at = now + timedelta(seconds=AGAIN_SECONDS)
        with self.database.begin() as connection:
            waiting: list[RunRecord] = schedules.open_runs(connection, now=now, most=RUNS_PER_POLL)
            return [run.key for run in waiting if schedules.send(connection, run, again_at=again_at)]


def _write(connection: Connection, schedule: ScheduleRecord, now: datetime) -> None:
    """One due time, and the next one, in one transaction."""
    if schedule.next_due_at is None:
        return
    made = step(schedule, schedule.next_due_at, now)
    if not schedules.advance(connection, schedule, next_due_at=made.next_due_at):
        return
    key = RunKey(schedule.tenant, schedule.name, made.due_at)
    written = schedules.add_run(connection, key, made.state, message=made.message, now=now)
    if written and made.state is RunState.MISSED:
        data = {"due_at": made.due_at.isoformat(), "message": made.message}
        events.record(connection, events.SCHEDULE_MISSED, schedule.name, data, tenant=schedule.tenant, now=now)
