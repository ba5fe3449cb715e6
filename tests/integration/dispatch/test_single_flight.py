"""Single flight: of jobs that want the same content one is sent out, and the others wait for it, at no slot's cost."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.dispatcher_harness import SECOND, Stage
from tests.factories import a_settlement
from tests.integration.plans import watched
from worker.dispatch.single_flight import SingleFlight
from worker.store.database import Database
from worker.store.tables.jobs import Job
from worker.store.tables.workers import Worker
from worker.store.transitions import actions, claims, followers, settlement

SAME = {"text": "All aboard."}


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database, with room for all."""
    stage = Stage(database)
    stage.worker(slots=100)
    return stage


def end(stage: Stage, *jobs: object, status: JobStatus = JobStatus.SUCCEEDED) -> None:
    """Claim dispatched jobs and settle them."""
    worker = stage.worker(slots=0)
    for job in jobs:
        with stage.database.begin() as connection:
            now = stage.database.now(connection)
            number = stage.row(job).attempt  # type: ignore[arg-type]
            claim = claims.claim(connection, job, number, worker_id=worker, now=now)  # type: ignore[arg-type]
            assert claim is not None
            assert settlement.settle(connection, claim, a_settlement(status), now=now)


def test_one_goes_and_the_others_follow_it(stage: Stage) -> None:
    """They are scheduled, name the job that they follow, and are not published."""
    first, *others = stage.jobs(5, **SAME)
    leader = stage.dispatcher()
    leader.run_once()
    leader.run_once()
    assert stage.post.collect() == [first]
    assert stage.status(*others) == [JobStatus.SCHEDULED] * 4
    assert {stage.row(job).follows for job in others} == {first}


def test_all_followers_start_at_once_when_the_content_exists(stage: Stage) -> None:
    """What each of them takes is a copy, and copies need not wait for one another."""
    first, *others = stage.jobs(4, **SAME)
    leader = stage.dispatcher()
    leader.run_once()
    stage.post.collect()
    end(stage, first)
    leader.run_once()
    assert stage.post.collect() == others


def test_a_later_request_for_bought_content_follows_no_job(stage: Stage) -> None:
    """The content is there for as many as want it."""
    first = stage.job(**SAME)
    leader = stage.dispatcher()
    leader.run_once()
    end(stage, first)
    leader.run_once()
    stage.post.collect()
    late = stage.jobs(3, **SAME)
    leader.run_once()
    assert stage.post.collect() == late


def test_the_next_one_buys_when_the_first_failed(stage: Stage) -> None:
    """A follower isn't bound to the fate of the one before it."""
    first, second, third = stage.jobs(3, **SAME)
    leader = stage.dispatcher()
    leader.run_once()
    end(stage, first, status=JobStatus.FAILED)
    leader.run_once()
    assert stage.post.collect() == [first, second]
    assert stage.row(third).follows == second


def test_a_follower_holds_up_no_job_behind_it(stage: Stage) -> None:
    """Other texts of the same lane go while it waits."""
    stage.jobs(50, **SAME)
    behind = stage.jobs(20)
    leader = stage.dispatcher()
    leader.run_once()
    stage.post.sent.clear()
    for _ in range(2):
        leader.run_once()
    assert set(behind) <= {*stage.post.collect()} | {job for job in behind if stage.row(job).status == "dispatched"}


def test_a_job_that_wants_its_own_take_follows_no_job(stage: Stage) -> None:
    """No other job follows it either."""
    own = stage.jobs(2, **SAME, use_cache=False)
    shared = stage.jobs(2, **SAME)
    stage.dispatcher().run_once()
    assert stage.post.collect() == sorted([*own, shared[0]])


def test_a_new_leader_knows_what_is_in_flight(stage: Stage) -> None:
    """And whom to release when that has ended."""
    first, second = stage.jobs(2, **SAME)
    stage.dispatcher().run_once()
    stage.lapse()
    third = stage.job(**SAME)
    successor = stage.dispatcher()
    successor.run_once()
    assert stage.row(third).follows == first
    end(stage, first)
    successor.run_once()
    assert stage.row(second).status == JobStatus.DISPATCHED


def test_following_is_bounded_in_time(stage: Stage) -> None:
    """The leading job was cancelled, which no attempt reports: the follower starts by itself in time."""
    first, second = stage.jobs(2, **SAME)
    leader = stage.dispatcher()
    leader.run_once()
    with stage.database.begin() as connection:
        actions.cancel(connection, actions.these([first]), now=stage.database.now(connection))
        due = stage.database.now(connection) - SECOND
        connection.execute(update(Job).where(Job.id == second).values(not_before=due))
    leader.housekeeping.due = None
    leader.run_once()
    assert stage.row(second).status == JobStatus.DISPATCHED
    assert stage.row(second).follows is None


def test_a_memory_that_grows_too_large_is_reloaded(stage: Stage) -> None:
    """What has ended is forgotten, what is in flight is not."""
    flying = stage.job(**SAME, status=JobStatus.DISPATCHED, dispatched_at=stage.now())
    twins = SingleFlight(max_remembered=3)
    with stage.database.begin() as connection:
        for _ in range(3):
            twins.separate(connection, [], stage.now())
        assert followers.in_flight(connection) == {stage.row(flying).fingerprint: flying}


def test_a_memory_of_what_really_flies_is_not_read_in_every_tick(stage: Stage) -> None:
    """With more in flight than it would keep, it is read once, and again only when as many more have gone out."""
    for _ in range(5):
        stage.job(status=JobStatus.DISPATCHED, dispatched_at=stage.now())
    twins = SingleFlight(max_remembered=3)
    with stage.database.begin() as connection:
        twins.load(connection)
        with watched(connection) as sent:
            twins.load(connection)
            twins.separate(connection, [], stage.now())
    assert sent == []


def test_verdicts_of_any_kind_release(stage: Stage) -> None:
    """A rate limit requeued the first one: it is queued with the others, and one of them starts."""
    jobs = stage.jobs(2, **SAME)
    leader = stage.dispatcher()
    leader.run_once()
    stage.post.collect()
    worker = stage.worker(slots=0)
    with stage.database.begin() as connection:
        now = stage.database.now(connection)
        claim = claims.claim(connection, jobs[0], 0, worker_id=worker, now=now)
        assert claim is not None
        back = a_settlement(JobStatus.QUEUED, verdict=VerdictKind.RELEASED, scope=None, code="store_trouble")
        assert settlement.settle(connection, claim, back, now=now)
    leader.run_once()
    assert len(stage.post.collect()) == 1
    assert sorted(stage.status(*jobs)) == [JobStatus.DISPATCHED, JobStatus.SCHEDULED]


@pytest.mark.parametrize("anew", [False, True], ids=["same leader", "another leader"])
def test_who_waits_for_a_submitted_call_does_not_buy_it_again(stage: Stage, *, anew: bool) -> None:
    """Its worker died; the job with the handle resumes it, whatever the order in the queue."""
    leader = stage.dispatcher()
    first = stage.job(**SAME)
    leader.run_once()
    worker = submit(stage, first)
    batch = stage.batch()
    ahead = stage.job(**SAME, batch_id=batch, lane=batch)
    leader.run_once()
    assert stage.row(ahead).follows == first
    stage.post.collect()
    fall_silent(stage, worker)
    if anew:
        stage.lapse()
        leader = stage.dispatcher()
    leader.housekeeping.due = None
    leader.run_once()
    assert stage.post.collect() == [first]
    assert stage.row(ahead).follows == first
    end(stage, first)
    leader.run_once()
    assert stage.post.collect() == [ahead]


def test_a_submitted_call_that_was_handed_back_is_gone_on_with(stage: Stage) -> None:
    """Also by a leader that never saw it in flight."""
    batch = stage.batch()
    ahead = stage.job(**SAME, batch_id=batch, lane=batch)
    first = stage.job(**SAME, request_id="handle", attempt=1)
    stage.dispatcher().run_once()
    assert stage.post.collect() == [first]
    assert stage.row(ahead).follows == first


def test_no_job_waits_for_a_submitted_call_of_a_paused_batch(stage: Stage) -> None:
    """It resumes with its batch; until then others buy for themselves."""
    batch = stage.batch(paused_at=stage.now())
    stage.job(**SAME, batch_id=batch, lane=batch, request_id="handle", attempt=1)
    other = stage.job(**SAME)
    stage.dispatcher().run_once()
    assert stage.post.collect() == [other]


def submit(stage: Stage, job: UUID) -> UUID:
    """A worker claims a job and keeps the handle of what it submitted; the worker."""
    worker = stage.worker(slots=0)
    with stage.database.begin() as connection:
        now = stage.database.now(connection)
        claim = claims.claim(connection, job, 0, worker_id=worker, now=now)
        assert claim is not None
        claims.keep(connection, [(claim, "handle")])
    return worker


def fall_silent(stage: Stage, worker: UUID) -> None:
    """Its last heartbeat is a minute old."""
    with stage.database.begin() as connection:
        long_ago = stage.database.now(connection) - 60 * SECOND
        connection.execute(update(Worker).where(Worker.id == worker).values(heartbeat_at=long_ago))


def test_audio_that_is_gone_or_due_to_go_is_no_source(stage: Stage) -> None:
    """Of ten jobs whose source is gone each would buy, and so would those whose source goes before they copy it."""
    now = stage.now()
    ends: dict[str, dict[str, object]] = {
        "there": {},
        "kept for an hour": {"purge_at": now + timedelta(hours=1)},
        "due": {"purge_at": now - timedelta(seconds=1)},
        "purged": {"purged_at": now},
        "failed": {"status": JobStatus.FAILED},
    }
    made = {stage.job(**{"status": JobStatus.SUCCEEDED, **columns}): end for end, columns in ends.items()}
    with stage.database.read() as connection:
        found = followers.with_audio(connection, list(made), now=now)
    assert {made[job] for job in found} == {"there", "kept for an hour"}
