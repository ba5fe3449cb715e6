"""Single flight after its content was lost: copies that find nothing lead to one purchase, never to many."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.dispatcher_harness import SECOND, Stage
from tests.factories import a_settlement
from worker.dispatch.dispatcher import Dispatcher
from worker.store.database import Database
from worker.store.tables.jobs import Job
from worker.store.transitions import actions, claims, followers, purges, rescues, settlement
from worker.store.transitions.purges import Due

SAME = {"text": "All aboard."}


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database, with room for all."""
    stage = Stage(database)
    stage.worker(slots=100)
    return stage


def claim(stage: Stage, job: UUID, *, worker: UUID | None = None) -> claims.Claim:
    """Take a dispatched job."""
    worker, number = worker or stage.worker(slots=0), stage.row(job).attempt
    with stage.database.begin() as connection:
        found = claims.claim(connection, job, number, worker_id=worker, now=stage.database.now(connection))
    assert found is not None
    return found


def settle(stage: Stage, claimed: claims.Claim, status: JobStatus, **fields: object) -> None:
    """End an attempt."""
    with stage.database.begin() as connection:
        now = stage.database.now(connection)
        assert settlement.settle(connection, claimed, a_settlement(status, **fields), now=now)


def find_nothing(stage: Stage, *jobs: UUID) -> None:
    """The workers of these jobs had nothing to copy."""
    for job in jobs:
        lost = {"verdict": VerdictKind.RELEASED, "scope": None, "code": followers.COPY_GONE, "counts": False}
        settle(stage, claim(stage, job), JobStatus.QUEUED, **lost)


def spoken(stage: Stage, leader: Dispatcher) -> UUID:
    """A job whose audio exists, as the dispatcher knows."""
    job = stage.job(**SAME)
    leader.run_once()
    settle(stage, claim(stage, job), JobStatus.SUCCEEDED)
    leader.run_once()
    stage.post.collect()
    return job


def purge(stage: Stage, job: UUID, *, asked_only: bool = False) -> None:
    """Its audio was removed; or that was asked for, and is about to be done."""
    row = stage.row(job)
    with stage.database.begin() as connection:
        now = stage.database.now(connection)
        purges.ask(connection, actions.these([job]), now=now)
        if not asked_only:
            purges.blank(connection, [Due(job, row.tenant, row.batch_id, row.uri, row.finished_at)], now=now)


@pytest.mark.parametrize("asked_only", [False, True], ids=["purged", "to be purged"])
def test_ten_jobs_after_a_purge_elect_one(stage: Stage, *, asked_only: bool) -> None:
    """What was removed is bought once, however many want it again."""
    leader = stage.dispatcher()
    purge(stage, spoken(stage, leader), asked_only=asked_only)
    jobs = stage.jobs(10, **SAME)
    leader.run_once()
    assert stage.post.collect() == jobs[:1]
    assert {stage.row(job).follows for job in jobs[1:]} == {jobs[0]}


def test_who_comes_for_a_copy_may_not_buy(stage: Stage) -> None:
    """The one that leads may; the others are sent for its audio alone."""
    leader = stage.dispatcher()
    source = spoken(stage, leader)
    late = stage.jobs(3, **SAME)
    leader.run_once()
    assert stage.post.collect() == late
    assert {claim(stage, job).copies for job in late} == {source}


def test_copies_that_find_nothing_elect_one(stage: Stage) -> None:
    """The file is gone and no row says so: all come back, and one of them is sent to buy."""
    leader = stage.dispatcher()
    spoken(stage, leader)
    late = stage.jobs(10, **SAME)
    leader.run_once()
    find_nothing(stage, *stage.post.collect())
    leader.run_once()
    assert stage.post.collect() == late[:1]
    assert claim(stage, late[0]).copies is None
    assert {stage.row(job).follows for job in late[1:]} == {late[0]}


def test_copies_that_come_back_late_follow_the_one_that_buys(stage: Stage) -> None:
    """An election that has been held is not held again."""
    leader = stage.dispatcher()
    spoken(stage, leader)
    first, *others = stage.jobs(4, **SAME)
    leader.run_once()
    find_nothing(stage, first)
    leader.run_once()
    find_nothing(stage, *others)
    leader.run_once()
    assert stage.status(first, *others) == [JobStatus.DISPATCHED] + [JobStatus.SCHEDULED] * 3


def test_copies_are_taken_from_the_one_that_bought_last(stage: Stage) -> None:
    """Not from the job whose file was missing."""
    leader = stage.dispatcher()
    spoken(stage, leader)
    first, second = stage.jobs(2, **SAME)
    leader.run_once()
    find_nothing(stage, first, second)
    leader.run_once()
    settle(stage, claim(stage, first), JobStatus.SUCCEEDED)
    leader.run_once()
    assert claim(stage, second).copies == first


def test_a_deleted_job_leads_no_other(stage: Stage) -> None:
    """Its row went with its batch."""
    leader = stage.dispatcher()
    gone = spoken(stage, leader)
    with stage.database.begin() as connection:
        connection.execute(delete(Job).where(Job.id == gone))
    jobs = stage.jobs(3, **SAME)
    leader.run_once()
    assert stage.post.collect() == jobs[:1]


def test_a_copy_under_way_leads_to_no_purchase(stage: Stage) -> None:
    """A new leader takes it for what it is."""
    leader = stage.dispatcher()
    spoken(stage, leader)
    copier = stage.job(**SAME)
    leader.run_once()
    with stage.database.read() as connection:
        assert followers.in_flight(connection) == {}
    assert stage.row(copier).status == JobStatus.DISPATCHED


def test_an_ended_copy_names_no_source(stage: Stage) -> None:
    """Rows of ended jobs must not fill the index of those that follow."""
    leader = stage.dispatcher()
    spoken(stage, leader)
    copier = stage.job(**SAME)
    leader.run_once()
    settle(stage, claim(stage, copier), JobStatus.SUCCEEDED, verdict=VerdictKind.CACHED)
    with stage.database.read() as connection:
        assert connection.execute(select(Job.id).where(Job.follows.is_not(None))).all() == []


def test_what_a_dead_workers_job_may_have_stored_is_waited_for(stage: Stage) -> None:
    """The leader is queued again and will look for its audio: others of another lane don't buy before it does."""
    leader = stage.dispatcher()
    ahead = stage.batch()
    first = stage.job(**SAME)
    leader.run_once()
    worker = stage.worker(slots=0)
    claim(stage, first, worker=worker)
    follower = stage.job(**SAME, batch_id=ahead, lane=ahead, priority=5)
    leader.run_once()
    with stage.database.begin() as connection:
        rescues.rescue(connection, [worker], max_attempts=3, now=stage.database.now(connection))
    stage.post.collect()
    leader.run_once()
    leader.run_once()
    assert stage.post.collect() == [first]
    assert stage.row(follower).follows == first


def test_who_waited_once_for_a_job_to_resume_waits_no_more(stage: Stage) -> None:
    """Its own budget may hold it for as long as that takes."""
    leader = stage.dispatcher()
    first = stage.job(**SAME)
    leader.run_once()
    claimed = claim(stage, first)
    later = stage.now() + 3600 * SECOND
    settle(stage, claimed, JobStatus.SCHEDULED, verdict=VerdictKind.RETRY, not_before=later, recover=True)
    second = stage.job(**SAME)
    leader.run_once()
    assert stage.row(second).follows == first
    with stage.database.begin() as connection:
        connection.execute(update(Job).where(Job.id == second).values(not_before=stage.database.now(connection)))
    leader.housekeeping.due = None
    leader.run_once()
    assert stage.row(second).status == JobStatus.DISPATCHED


@pytest.mark.parametrize("end", ["cancelled", "expired"])
def test_followers_of_a_job_that_never_started_are_released_at_once(stage: Stage, end: str) -> None:
    """No attempt reports its end, and none of them waits for its patience."""
    leader = stage.dispatcher()
    first, second, third = stage.jobs(3, **SAME)
    leader.run_once()
    stage.post.collect()
    with stage.database.begin() as connection:
        now = stage.database.now(connection)
        if end == "cancelled":
            actions.cancel(connection, actions.these([first]), now=now)
        else:
            connection.execute(update(Job).where(Job.id == first).values(deadline=now - SECOND))
    leader.housekeeping.due = None
    leader.run_once()
    assert stage.status(first) == [end]
    assert stage.post.collect() == [second]
    assert stage.row(third).follows == second
