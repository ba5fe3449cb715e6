"""Jobs that have lost all attempts but one to dead workers: one of them may be why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api_models.status import JobStatus
from tests.factories import add_job, add_worker, stored
from worker.store.database import Database
from worker.store.transitions import rescues

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
APART = timedelta(seconds=20)


def test_last_attempts_are_made_one_by_one(database: Database) -> None:
    """The first starts at once and the others after it, each with its reason; those with more attempts don't wait."""
    with database.begin() as connection:
        dead = add_worker(connection)
        running = {"status": JobStatus.RUNNING, "worker_id": dead}
        last = [add_job(connection, attempts_used=2, **running) for _ in range(3)]
        fresh = add_job(connection, attempts_used=1, **running)
        over = add_job(connection, attempts_used=3, **running)
        rescued = rescues.rescue(connection, [dead], max_attempts=3, now=NOW, apart_seconds=APART.total_seconds())
        rows = [stored(connection, job) for job in last]

        assert rescued == rescues.Rescued(requeued=4, failed=1)
        assert [row.status for row in rows] == [JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.SCHEDULED]
        assert [row.not_before for row in rows[1:]] == [NOW + APART, NOW + 2 * APART]
        assert {(row.worker_id, row.recover, row.attempts_used) for row in rows} == {(None, True, 2)}
        assert all("apart from the jobs lost with it" in row.message for row in rows[1:])
        assert stored(connection, fresh).status == JobStatus.QUEUED
        assert stored(connection, over).status == JobStatus.FAILED
