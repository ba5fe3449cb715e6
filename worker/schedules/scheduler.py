"""Records due schedules, and sends a message to a worker for each run.

Two schedulers at once, as when a leader is replaced late, record each due time once: its row is unique, and the first
one sets the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from worker.schedules import cron
from worker.schedules.cron import BadTimesError
from worker.store import schedules
from worker.store.database import Database
from worker.store.outbox import events
from worker.store.schedules import RunKey, RunRecord, RunState, ScheduleRecord

POLL_SECONDS: Final = 0.5
SCHEDULES_PER_POLL: Final = 100
RUNS_PER_POLL: Final = 100
AGAIN_SECONDS: Final = 15.0
"""A message counts as lost if its run is not claimed within this time."""

Call = Callable[[Sequence[RunKey]], object]
"""Publishes one message per run. Messages that could not be sent are repeated like lost ones."""

log = structlog.get_logger("ttsq.schedules")


@dataclass(frozen=True, slots=True)
class Step:
    due_at: datetime
    state: RunState
    message: str | None
    next_due_at: datetime | None


def step(schedule: ScheduleRecord, due_at: datetime, now: datetime) -> Step:
    """Return the record for `due_at`. If it is too old to catch up, it represents all such times. Raises BadTimesError:
    the schedule's expression or time zone is no longer valid.
    """
    caught_up = now - timedelta(seconds=schedule.catch_up_seconds)
    following = cron.next_after(schedule.cron, schedule.timezone, due_at)
    if due_at >= caught_up:
        return Step(due_at, RunState.DUE, None, following)
    resumed = cron.next_after(schedule.cron, schedule.timezone, max(due_at, caught_up - timedelta(microseconds=1)))
    message = "no worker was running at that time, and it is too late to catch up"
    if resumed != following:
        message += f"; the same applies to all times before {resumed.isoformat() if resumed else now.isoformat()}"
    return Step(due_at, RunState.MISSED, message, resumed)


@dataclass(slots=True)
class Scheduler:
    database: Database
    publish: Call

    def run_once(self, now: datetime | None = None) -> bool:
        """Record due times, and publish every run that no worker has. Returns False: the rest can wait.

        `now` defaults to the database's clock.
        """
        with self.database.read() as connection:
            now = now or self.database.now(connection)
            due = schedules.due(connection, now=now, most=SCHEDULES_PER_POLL)
            waiting = schedules.open_runs(connection, now=now, most=RUNS_PER_POLL)
        for schedule in due:
            self._fall_due(schedule, now)
        if due or waiting:
            self.publish(self._sent(now))
        return False

    def _fall_due(self, schedule: ScheduleRecord, now: datetime) -> None:
        with self.database.begin() as connection:
            try:
                _write(connection, schedule, now)
            except BadTimesError as error:
                # The expression was accepted by another version, or with other time zone data.
                schedules.advance(connection, schedule, next_due_at=None)
                log.warning("schedule_stopped", schedule=schedule.name, tenant=schedule.tenant, error=str(error))

    def _sent(self, now: datetime) -> list[RunKey]:
        again_at = now + timedelta(seconds=AGAIN_SECONDS)
        with self.database.begin() as connection:
            waiting: list[RunRecord] = schedules.open_runs(connection, now=now, most=RUNS_PER_POLL)
            return [run.key for run in waiting if schedules.send(connection, run, again_at=again_at)]


def _write(connection: Connection, schedule: ScheduleRecord, now: datetime) -> None:
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
