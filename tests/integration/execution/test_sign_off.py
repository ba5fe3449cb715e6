"""A worker's last word: whether others may stop watching over the jobs it had."""

from __future__ import annotations

import pytest

from api_models.status import JobStatus
from tests.factories import NOW, add_job, add_worker
from worker.store import workers
from worker.store.database import Database
from worker.store.transitions import rescues


@pytest.mark.parametrize("status", [status for status in JobStatus if status is not JobStatus.RUNNING])
def test_a_worker_that_runs_nothing_is_signed_off(database: Database, status: JobStatus) -> None:
    """Jobs in states other than running don't keep a worker from leaving."""
    with database.begin() as connection:
        worker = add_worker(connection)
        add_job(connection, status=status, worker_id=worker)
        workers.sign_off(connection, worker, now=NOW)
        assert workers.present(connection) == []


def test_a_worker_that_leaves_a_running_job_behind_is_still_missed(database: Database) -> None:
    """It could not record how an attempt ended: it counts as present until its jobs are rescued."""
    with database.begin() as connection:
        worker = add_worker(connection)
        add_job(connection, status=JobStatus.RUNNING, worker_id=worker)
        workers.sign_off(connection, worker, now=NOW)
        assert [member.id for member in workers.present(connection)] == [worker]

        rescues.rescue(connection, [worker], max_attempts=5, now=NOW)
        workers.sign_off(connection, worker, now=NOW)
        assert workers.present(connection) == []
