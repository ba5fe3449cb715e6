"""The order of jobs on both databases: bulk leaves slots for interactive jobs, and no job starves."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from api_models.status import JobStatus
from tests.dispatcher_harness import Stage
from worker.store.database import Database
from worker.store.tables.jobs import Job
from worker.store.transitions import dispatches


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database."""
    return Stage(database)


def end_all(stage: Stage) -> None:
    """Everything in flight comes to its end, at once and past all statements."""
    with stage.database.begin() as connection:
        connection.execute(
            update(Job)
            .where(Job.status == JobStatus.DISPATCHED)
            .values(status=JobStatus.CANCELLED, finished_at=stage.database.now(connection))
        )


def test_bulk_alone_uses_every_slot(stage: Stage) -> None:
    """Without interactive jobs no slot is reserved for them."""
    stage.worker(slots=10)
    jobs = stage.jobs(12)
    stage.dispatcher(reserved_share=0.2).run_once()
    assert stage.post.collect() == jobs[:10]


def test_once_interactive_jobs_come_bulk_leaves_them_their_share(stage: Stage) -> None:
    """Also in ticks in which none waits: the next one finds a free slot."""
    stage.worker(slots=10)
    bulk = stage.jobs(30)
    urgent = stage.job(priority=5)
    leader = stage.dispatcher(reserved_share=0.2)
    leader.run_once()
    assert stage.post.collect() == sorted([*bulk[:8], urgent])
    leader.run_once()
    assert stage.post.collect() == []
    another = stage.job(priority=1)
    leader.run_once()
    assert stage.post.collect() == [another]
    end_all(stage)
    leader.run_once()
    assert stage.post.collect() == bulk[8:16]


def test_interactive_jobs_may_use_every_slot(stage: Stage) -> None:
    """The reserve is theirs, and so is the rest before bulk."""
    stage.worker(slots=4)
    stage.jobs(5)
    urgent = stage.jobs(6, priority=1)
    stage.dispatcher().run_once()
    assert stage.post.collect() == urgent[:4]


def test_bulk_that_waited_long_gets_a_turn_among_the_urgent(stage: Stage) -> None:
    """One slot per tick and endless urgent jobs: even with the smallest step a waiting bulk job starts eventually."""
    stage.worker(slots=1)
    bulk = stage.job()
    stage.jobs(20, priority=2)
    leader = stage.dispatcher(ageing_seconds=1e-6)
    for _ in range(5):
        leader.run_once()
        end_all(stage)
    assert bulk in stage.post.collect()


def test_a_lane_knows_when_its_first_job_was_submitted(stage: Stage) -> None:
    """By the time in the job's id."""
    before = stage.now().timestamp()
    first, *_ = stage.jobs(3)
    with stage.database.read() as connection:
        [lane] = dispatches.lanes(connection, most=9)
    assert lane.since == (first.int >> 80) / 1000
    assert abs(lane.since - before) < 3_600
