"""One statement says which of the leader's tasks have work, another whether the dispatcher has any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, insert

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.factories import a_gate, add_attempt, add_batch, add_gate, add_job
from worker.store import operations, pending, schedules
from worker.store.database import Database
from worker.store.operations import Action
from worker.store.outbox import events
from worker.store.schedules import RunKey, RunState
from worker.store.tables.inbox import InboxRow

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
Work = Callable[[Connection, datetime], object]

TASKS: dict[str, Work] = {
    "inbox": lambda connection, _: connection.execute(insert(InboxRow).values(request="{}")),
    "outbox": lambda connection, now: events.record(connection, "job.succeeded", "a job", {}, now=now),
    "batches": lambda connection, _: add_batch(connection),
    "schedules": lambda connection, now: schedules.add_run(
        connection, RunKey("default", "nightly", now), RunState.DUE, now=now
    ),
    "removals": lambda connection, now: add_job(
        connection, status=JobStatus.SUCCEEDED, finished_at=now - HOUR, expires_after=60
    ),
    "operations": lambda connection, now: operations.create(
        connection, tenant="default", actor="ada", action=Action.CANCEL, filter_text="", priority=None, now=now
    ),
}
DISPATCH: dict[str, Work] = {
    "a queued job": lambda connection, _: add_job(connection),
    "a running job": lambda connection, now: add_job(connection, status=JobStatus.RUNNING, started_at=now),
    "a job that is due soon": lambda connection, now: add_job(
        connection, status=JobStatus.SCHEDULED, not_before=now + SECOND
    ),
    "a deadline": lambda connection, now: add_job(
        connection, status=JobStatus.SCHEDULED, not_before=now + HOUR, deadline=now + SECOND
    ),
    "an unread result": lambda connection, now: add_attempt(
        connection, verdict=VerdictKind.RETRY, started_at=now, finished_at=now, cost=Decimal(0)
    ),
    "a closed gate": lambda connection, _: add_gate(connection, a_gate()),
}
NOTHING: dict[str, Work] = {
    "a finished job": lambda connection, now: add_job(connection, status=JobStatus.SUCCEEDED, finished_at=now),
    "a finished batch": lambda connection, now: add_batch(connection, finished_at=now),
    "a job that starts later": lambda connection, now: add_job(
        connection, status=JobStatus.SCHEDULED, not_before=now + HOUR
    ),
    "an open gate": lambda connection, _: add_gate(connection, a_gate(), closed=False),
    "a handled row": lambda connection, now: connection.execute(insert(InboxRow).values(request="", handled_at=now)),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_with_work_is_named(database: Database, task: str) -> None:
    """That task, and no other."""
    with database.begin() as connection:
        TASKS[task](connection, database.now(connection))
    with database.glance() as connection:
        found = asdict(pending.for_tasks(connection))
    assert [name for name, is_pending in found.items() if is_pending] == [task]


@pytest.mark.parametrize("work", DISPATCH)
def test_the_dispatcher_does_not_rest_beside_work(database: Database, work: str) -> None:
    """Every kind of work counts."""
    with database.begin() as connection:
        now = database.now(connection)
        DISPATCH[work](connection, now)
    with database.glance() as connection:
        assert not pending.is_at_rest(connection, now=now)


def test_what_needs_nothing_is_no_work(database: Database) -> None:
    """Neither for a task nor for the dispatcher."""
    with database.begin() as connection:
        now = database.now(connection)
        for make in NOTHING.values():
            make(connection, now)
    with database.glance() as connection:
        assert not any(asdict(pending.for_tasks(connection)).values())
        assert pending.is_at_rest(connection, now=now)
