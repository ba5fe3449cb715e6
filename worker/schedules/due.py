"""Decides what to record for a due schedule: a run, or a missed time. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.schedules import cron
from worker.store.schedules import RunState, ScheduleRecord


@dataclass(frozen=True, slots=True)
class Step:
    due_at: datetime
    state: RunState
    message: str | None
    next_due_at: datetime | None


def step(schedule: ScheduleRecord, due_at: datetime, now: datetime) -> Step:
    """Return the record for `due_at`. If it is too old to be made up for, it stands for all that are.

    Raises:
        BadTimesError: the schedule's expression or time zone is no longer valid.
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
