"""The dispatcher, one tick at a time, on real databases: leadership, starts, rescues and pauses."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import update

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.dispatcher_harness import SECOND, Stage
from tests.factories import add_jobs, job_row, ledger
from worker.dispatch.config import WorkerScope
from worker.dispatch.dispatcher import LEASE_SECONDS
from worker.dispatch.fairness.rotation import MAX_LANES
from worker.dispatch.housekeeping import DOUBT_SECONDS, HEARTBEAT_LAPSE_SECONDS
from worker.dispatch.rate.ramp import FIRST_CALLS
from worker.store import workers
from worker.store.database import Database
from worker.store.tables.account import PaceRow
from worker.store.tables.workers import Worker
from worker.store.transitions import claims as job_claims
from worker.store.transitions.dispatches import Waiting


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database."""
    return Stage(database)


def test_one_leads_and_the_others_follow(stage: Stage) -> None:
    """Only the leader starts anything; a follower does no more than ask for the lead."""
    stage.worker(slots=4)
    leader, follower = stage.dispatcher(), stage.dispatcher()
    assert leader.run_once().leads
    jobs = stage.jobs(2)
    assert not follower.run_once().leads
    assert stage.post.collect() == []
    assert leader.run_once().leads
    assert stage.post.collect() == jobs


def test_a_follower_takes_over_when_the_lease_lapses(stage: Stage) -> None:
    """The old leader, coming late, follows."""
    stage.worker(slots=4)
    old, new = stage.dispatcher(), stage.dispatcher()
    assert old.run_once().leads
    stage.lapse()
    job = stage.job()
    assert new.run_once().leads
    assert not old.run_once().leads
    assert stage.post.collect() == [job]


def test_a_lease_is_renewed_with_every_tick(stage: Stage) -> None:
    """By the database's clock."""
    leader = stage.dispatcher()
    leader.run_once()
    stage.lapse()
    assert leader.run_once().leads
    with stage.database.read() as connection:
        soon = stage.database.now(connection) + LEASE_SECONDS / 4 * SECOND
        assert workers.holder(connection, "dispatcher", now=soon) == leader.me


def test_starts_are_limited_to_free_slots(stage: Stage) -> None:
    """Slots of all workers, less what is dispatched and running; the next ones start when these are over."""
    worker = stage.worker(slots=3)
    stage.worker(slots=2)
    stage.job(status=JobStatus.RUNNING, worker_id=worker)
    stage.job(status=JobStatus.DISPATCHED, dispatched_at=stage.now())
    jobs = stage.jobs(10)
    leader = stage.dispatcher()
    assert leader.run_once().busy
    assert stage.post.collect() == jobs[:3]
    assert stage.status(*jobs) == [JobStatus.DISPATCHED] * 3 + [JobStatus.QUEUED] * 7
    leader.run_once()
    assert stage.post.collect() == []


def test_messages_carry_the_turn(stage: Stage) -> None:
    """A message carries the job's number of claims, so that a worker detects messages of earlier turns."""
    stage.worker()
    job = stage.job(attempt=4)
    stage.dispatcher().run_once()
    assert stage.post.sent == [Waiting(job, 4)]


def test_without_workers_nothing_starts(stage: Stage) -> None:
    """Jobs stay queued, and nothing is published."""
    job = stage.job()
    stage.dispatcher().run_once()
    assert stage.post.collect() == []
    assert stage.status(job) == [JobStatus.QUEUED]


@pytest.mark.parametrize(
    "unfit",
    [
        {"stopping": True},
        {Worker.trouble.key: "the disk is full"},
        {"queue": "another"},
        {"stopped_at": datetime.fromisoformat("2026-11-21T10:00:00Z")},
    ],
    ids=lambda unfit: next(iter(unfit)),
)
def test_slots_of_workers_that_take_nothing_do_not_count(stage: Stage, unfit: dict[str, object]) -> None:
    """A worker that is stopping, reports an error, reads another queue or is gone has no free slots."""
    stage.worker(slots=50, **unfit)
    stage.worker(slots=1)
    jobs = stage.jobs(5)
    stage.dispatcher().run_once()
    assert stage.post.collect() == jobs[:1]


def test_what_a_stopping_worker_still_has_in_hand_takes_no_others_slots(stage: Stage) -> None:
    """Its calls go on for a while; the other workers are not held up by them."""
    leaving = stage.worker(slots=5, stopping=True)
    stage.worker(slots=3)
    stage.jobs(5, status=JobStatus.RUNNING, worker_id=leaving)
    jobs = stage.jobs(5)
    stage.dispatcher().run_once()
    assert stage.post.collect() == jobs[:3]


def test_a_broker_in_memory_reaches_its_own_worker_alone(stage: Stage) -> None:
    """Other processes' workers are not counted, their jobs take no slots here, and messages are theirs by name."""
    me, other = stage.worker(slots=2, queue="ttsq-me"), stage.worker(slots=40, queue="ttsq-other")
    stage.jobs(3, status=JobStatus.RUNNING, worker_id=other)
    jobs = stage.jobs(5)
    stage.dispatcher(reach=WorkerScope(queue="ttsq-me", only_worker=me), me=me).run_once()
    assert stage.post.collect() == jobs[:2]
    assert [stage.row(job).worker_id for job in jobs[:3]] == [me, me, None]


def test_over_a_shared_broker_any_worker_may_claim_a_message(stage: Stage) -> None:
    """No worker is named before the claim."""
    stage.worker()
    job = stage.job()
    stage.dispatcher().run_once()
    assert stage.row(job).worker_id is None


def test_unsent_messages_are_taken_back(stage: Stage) -> None:
    """With the broker away their jobs are queued again at once, and go out when it is back."""
    stage.worker(slots=5)
    jobs = stage.jobs(5)
    leader = stage.dispatcher()
    stage.post.most = 2
    leader.run_once()
    assert stage.post.collect() == jobs[:2]
    assert stage.status(*jobs) == [JobStatus.DISPATCHED] * 2 + [JobStatus.QUEUED] * 3
    stage.post.most = 10
    leader.run_once()
    assert stage.post.collect() == jobs[2:]


def test_an_unclaimed_message_counts_as_lost(stage: Stage) -> None:
    """After the dispatch timeout, and not before, its job is published again."""
    stage.worker(slots=5)
    sent = stage.now() - 20 * SECOND
    lost = stage.job(status=JobStatus.DISPATCHED, dispatched_at=sent - SECOND)
    waiting = stage.job(status=JobStatus.DISPATCHED, dispatched_at=sent + 10 * SECOND)
    stage.dispatcher().run_once()
    assert stage.post.collect() == [lost]
    assert stage.status(waiting) == [JobStatus.DISPATCHED]


def test_due_jobs_are_promoted_and_late_ones_expire(stage: Stage) -> None:
    """In the same tick the due ones start; those past their deadline end unpaid."""
    stage.worker(slots=5)
    now = stage.now()
    due = stage.job(status=JobStatus.SCHEDULED, not_before=now - SECOND)
    early = stage.job(status=JobStatus.SCHEDULED, not_before=now + 60 * SECOND)
    late = stage.job(deadline=now - SECOND)
    stage.dispatcher().run_once()
    assert stage.post.collect() == [due]
    assert stage.status(early, late) == [JobStatus.SCHEDULED, JobStatus.EXPIRED]
    assert stage.row(late).code == "deadline"


def test_jobs_of_a_dead_worker_resume_on_another(stage: Stage) -> None:
    """Back to queued for recovery and started in the same tick; with attempts used up, failed; the worker is gone."""
    silent = stage.now() - (HEARTBEAT_LAPSE_SECONDS + 1) * SECOND
    dead, alive = stage.worker(heartbeat_at=silent), stage.worker(slots=4)
    jobs = stage.jobs(2, status=JobStatus.RUNNING, worker_id=dead)
    last = stage.job(status=JobStatus.RUNNING, worker_id=dead, attempts_used=3)
    going_on = stage.job(status=JobStatus.RUNNING, worker_id=alive)
    stage.dispatcher().run_once()
    assert stage.post.collect() == jobs
    assert stage.status(last, going_on) == [JobStatus.FAILED, JobStatus.RUNNING]
    assert stage.row(jobs[0]).recover
    with stage.database.read() as connection:
        assert [member.id for member in workers.present(connection)] == [alive]
        assert [attempt.verdict for attempt in ledger(connection, jobs[0])] == [VerdictKind.LOST]


def test_a_dead_worker_may_have_taken_messages_with_it(stage: Stage) -> None:
    """Jobs whose messages it may have taken from the broker are published again at once; fresh ones are not."""
    stage.worker(heartbeat_at=stage.now() - (HEARTBEAT_LAPSE_SECONDS + 1) * SECOND)
    stage.worker(slots=4)
    doubtful = stage.job(status=JobStatus.DISPATCHED, dispatched_at=stage.now() - (DOUBT_SECONDS + 1) * SECOND)
    stage.job(status=JobStatus.DISPATCHED, dispatched_at=stage.now())
    stage.dispatcher().run_once()
    assert stage.post.collect() == [doubtful]


def test_after_an_outage_every_worker_gets_the_time_for_a_beat(stage: Stage) -> None:
    """Heartbeats that are old because of an outage of the database don't make a worker dead."""
    leader = stage.dispatcher()
    leader.run_once()
    silent = stage.now() - (HEARTBEAT_LAPSE_SECONDS + 1) * SECOND
    job = stage.job(status=JobStatus.RUNNING, worker_id=stage.worker(heartbeat_at=silent))
    leader.rescue.read_at = leader.housekeeping.due = stage.now() - 60 * SECOND
    leader.run_once()
    assert stage.status(job) == [JobStatus.RUNNING]
    leader.rescue.blind_until = leader.housekeeping.due = stage.now()
    leader.run_once()
    assert stage.status(job) == [JobStatus.QUEUED]


def test_a_search_begins_slowly_and_is_remembered(stage: Stage) -> None:
    """While the limit is unknown few start at first; the next leader resumes from what a refusal has taught."""
    stage.worker(slots=100)
    stage.jobs(50)
    leader = stage.dispatcher(rpm=None)
    leader.run_once()
    assert len(stage.post.collect()) == FIRST_CALLS
    stage.ended(VerdictKind.PACE, started_at=stage.now(), reset_at=stage.now() + 60 * SECOND)
    leader.run_once()
    learnt = stage.pace()
    assert learnt.rpm == FIRST_CALLS - 1
    stage.lapse()
    stage.dispatcher(rpm=None).run_once()
    assert stage.post.collect() == []
    assert stage.pace() == learnt


def test_a_worker_with_a_recent_heartbeat_is_left_alone(stage: Stage) -> None:
    """Its heartbeat may be late without its being dead."""
    worker = stage.worker(heartbeat_at=stage.now() - (HEARTBEAT_LAPSE_SECONDS - 2) * SECOND)
    job = stage.job(status=JobStatus.RUNNING, worker_id=worker)
    stage.dispatcher().run_once()
    assert stage.status(job) == [JobStatus.RUNNING]


def test_priority_reaches_past_any_number_of_lanes(stage: Stage) -> None:
    """A webhook of high priority starts first, however many batches are queued."""
    crowd = [job_row(lane=UUID(int=number + 1)) for number in range(MAX_LANES + 10)]
    with stage.database.begin() as connection:
        *_, urgent = add_jobs(connection, *crowd, job_row(priority=50))
    stage.worker(slots=1)
    stage.dispatcher().run_once()
    assert stage.post.collect() == [urgent]


def test_a_pause_holds_everything_until_the_apis_stamp(stage: Stage) -> None:
    """A 429 pauses all dispatch; a new leader keeps the pause; dispatch resumes after it."""
    stage.worker()
    job = stage.job()
    reset = stage.now() + 60 * SECOND
    stage.ended(VerdictKind.PACE, reset_at=reset, message="Too many requests")
    stage.dispatcher().run_once()
    assert stage.post.collect() == []
    assert (stage.pace().paused_until, stage.pace().strikes, stage.pace().message) == (reset, 1, "Too many requests")
    stage.lapse()
    stage.dispatcher().run_once()
    assert stage.post.collect() == []
    with stage.database.begin() as connection:
        connection.execute(update(PaceRow).values(paused_until=stage.database.now(connection)))
    stage.lapse()
    stage.dispatcher().run_once()
    assert stage.post.collect() == [job]


def test_the_ceiling_spaces_starts_evenly(stage: Stage) -> None:
    """At sixty a minute one job starts a second, over free slots, further ticks and a change of leader."""
    stage.worker(slots=50)
    jobs = stage.jobs(10)
    first = stage.dispatcher(rpm=60)
    began = stage.now()
    tick = first.run_once()
    assert tick.next_chance is not None
    assert 0.9 * SECOND < tick.next_chance - began < 6 * SECOND
    assert stage.post.collect() == jobs[:1]
    ahead = stage.now() + 30 * SECOND
    with stage.database.begin() as connection:
        connection.execute(update(PaceRow).values(next_start_at=ahead))
    stage.lapse()
    stage.dispatcher(rpm=60).run_once()
    assert stage.post.collect() == []
    with stage.database.begin() as connection:
        connection.execute(update(PaceRow).values(next_start_at=stage.database.now(connection) - 3_600 * SECOND))
    stage.lapse()
    stage.dispatcher(rpm=60).run_once()
    assert stage.post.collect() == jobs[1:2]


def test_a_dispatcher_that_stops_admits_nothing_more(stage: Stage) -> None:
    """It completes its last tick, and starts no job in it."""
    stage.worker()
    job = stage.job()
    leader = stage.dispatcher()
    leader.stop()
    assert leader.run_once().leads
    assert stage.post.collect() == []
    assert stage.status(job) == [JobStatus.QUEUED]


def test_its_thread_starts_submitted_jobs(stage: Stage) -> None:
    """Started, it leads by itself; woken, it looks at once; stopped, its thread ends."""
    stage.worker()
    arrived = threading.Event()

    def publish(jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        stage.post(jobs)
        arrived.set()
        return []

    leader = stage.dispatcher()
    leader.publish = publish
    leader.start()
    job = stage.job()
    leader.wake()
    assert arrived.wait(20)
    leader.stop()
    assert stage.post.collect() == [job]
    assert "ttsq-dispatcher" not in {thread.name for thread in threading.enumerate()}


def test_a_claim_of_a_published_job_succeeds(stage: Stage) -> None:
    """What is published is committed: its message finds the row as it says."""
    worker = stage.worker()
    stage.job()
    claims: list[object] = []

    def publish(jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        with stage.database.begin() as connection:
            claims.extend(
                job_claims.claim(connection, job.job_id, job.attempt, worker_id=worker, now=stage.now()) for job in jobs
            )
        return []

    leader = stage.dispatcher()
    leader.publish = publish
    leader.run_once()
    assert len(claims) == 1
    assert claims[0] is not None
