"""Which workers count as dead, and that every job of a dead worker is rescued."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from tests.factories import NOW, add_job, add_worker, stored
from worker.dispatch.housekeeping import HEARTBEAT_LAPSE_SECONDS, Rescue
from worker.store import workers
from worker.store.database import Database
from worker.store.tables.workers import Worker
from worker.store.transitions import claims, dispatches

LAPSE: Final = timedelta(seconds=HEARTBEAT_LAPSE_SECONDS)
MOMENT: Final = timedelta(milliseconds=1)


def claimed_too_late(connection: Connection) -> tuple[UUID, UUID]:
    """A worker, and a job that it claimed just when it had been given up."""
    worker = add_worker(connection, heartbeat_at=NOW - 2 * LAPSE)
    rescue(connection, 0 * MOMENT)
    job = add_job(connection)
    dispatches.dispatch(connection, [job], worker_id=None, now=NOW)
    assert claims.claim(connection, job, 0, worker_id=worker, now=NOW) is not None
    return worker, job


def rescue(connection: Connection, later: timedelta) -> None:
    """A look for the dead, so much later."""
    Rescue(max_attempts=5).run_once(connection, NOW + later)


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_job_claimed_by_a_retired_worker_is_rescued(database: Database, forgotten: bool) -> None:
    """The worker dies before its next beat, without a heartbeat that could lapse: its job is rescued nonetheless."""
    with database.begin() as connection:
        worker, job = claimed_too_late(connection)
        if forgotten:
            connection.execute(delete(Worker).where(Worker.id == worker))
        rescue(connection, LAPSE)
        assert stored(connection, job).status == JobStatus.RUNNING
        rescue(connection, LAPSE + MOMENT)
        row = stored(connection, job)
    assert (row.status, row.worker_id, row.recover) == (JobStatus.QUEUED, None, True)


def test_a_worker_that_comes_back_keeps_what_it_claimed(database: Database) -> None:
    """Its next beat takes it back in, and its job with it."""
    with database.begin() as connection:
        worker, job = claimed_too_late(connection)
        workers.beat(connection, worker, problem=None, stopping=False, now=NOW + LAPSE)
        rescue(connection, LAPSE + MOMENT)
        row = stored(connection, job)
    assert (row.status, row.worker_id) == (JobStatus.RUNNING, worker)


def test_live_workers_lose_nothing(database: Database) -> None:
    """Neither those that beat nor, while they run something, those that are stopping."""
    with database.begin() as connection:
        well, stopping = (add_worker(connection, heartbeat_at=NOW, stopping=slow) for slow in (False, True))
        jobs = [
            add_job(connection, status=JobStatus.RUNNING, worker_id=worker, started_at=NOW - 9 * LAPSE)
            for worker in (well, stopping)
        ]
        add_job(connection, status=JobStatus.DISPATCHED, worker_id=uuid7(), dispatched_at=NOW)
        rescue(connection, MOMENT)
        assert [stored(connection, job).status for job in jobs] == [JobStatus.RUNNING] * 2
