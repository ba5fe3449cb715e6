"""Lanes that refused takes hold: how many are paid before, who is held, how it is resumed. On both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.dispatcher_harness import Stage
from tests.factories import MODEL, add_attempt, add_lease, stored
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.gates.take_runs import RESUMED_TAKES
from worker.store import batches, lane_takes
from worker.store.database import Database
from worker.store.queries import holds, prunable
from worker.store.tables.jobs import Job
from worker.store.tables.workers import Worker
from worker.store.transitions import dispatches, followers

Verdicts = Callable[[UUID], VerdictKind]
GOOD, BAD = VerdictKind.SUCCESS, VerdictKind.BAD_TAKE
ROUNDS = 400


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database, with a hundred slots."""
    stage = Stage(database)
    stage.worker(slots=100)
    return stage


def jobs_of(stage: Stage, batch: UUID | None, count: int, **columns: object) -> list[UUID]:
    """`count` queued jobs of a batch, all with distinct content."""
    lane = {} if batch is None else {"batch_id": batch, "lane": batch}
    return stage.jobs(count, use_cache=False, **lane, **columns)


def end(stage: Stage, jobs: Iterable[UUID], verdict: Verdicts) -> None:
    """The attempts of dispatched jobs have ended; a refused take ends its job."""
    with stage.database.begin() as connection:
        now = stage.database.now(connection)
        for job in jobs:
            row, came = stored(connection, job), verdict(job)
            ended = {"status": JobStatus.FAILED, "code": "bad_audio", "finished_at": now, "takes_used": 1}
            if came is GOOD:
                ended = {"status": JobStatus.SUCCEEDED, "uri": "file:///a.wav", "sha256": "0" * 64, "finished_at": now}
            connection.execute(update(Job).where(Job.id == job).values(**ended, attempt=1))
            told = {"tenant": row.tenant, "batch_id": row.batch_id, "model": row.model, "code": "bad_audio"}
            times = {"started_at": now, "finished_at": now}
            add_attempt(connection, job_id=job, number=1, verdict=came, message="silent", **told, **times)
        connection.execute(update(Worker).values(heartbeat_at=now))


def paid_until_still(stage: Stage, leader: Dispatcher, verdict: Verdicts, *, at_once: int = 7) -> list[UUID]:
    """Let calls end a few at a time until nothing starts any more. All jobs that were paid for."""
    paid: list[UUID] = []
    flying: list[UUID] = []
    for _ in range(ROUNDS):
        leader.run_once()
        # Whatever a hold has called back was never claimed.
        flying = [job for job in flying if stage.status(job) == [JobStatus.DISPATCHED]] + stage.post.collect()
        if not flying:
            break
        end(stage, flying[:at_once], verdict)
        paid, flying = paid + flying[:at_once], flying[at_once:]
    return paid


def all_bad(_: UUID) -> VerdictKind:
    """Every take is refused."""
    return BAD


def all_good(_: UUID) -> VerdictKind:
    """Every take is accepted."""
    return GOOD


def held(stage: Stage) -> list[str]:
    """The names of the lanes that refused takes hold."""
    with stage.database.read() as connection:
        return [hold.name for hold in holds.holds(connection, now=stage.now()) if hold.code == lane_takes.CODE]


def resume(stage: Stage, batch: UUID) -> bool:
    """As `ttsq batch resume`."""
    with stage.database.begin() as connection:
        return batches.resume(connection, batch, now=stage.database.now(connection))


@pytest.mark.parametrize("slots", [1, 4, 20, 50])
def test_a_batch_whose_every_take_is_refused_is_held_in_time(stage: Stage, slots: int) -> None:
    """No more than twenty takes are paid, or as many as there are slots; the rest stays queued."""
    stage.slots(slots)
    batch = stage.batch()
    jobs_of(stage, batch, 80)
    paid = paid_until_still(stage, stage.dispatcher(), all_bad)
    assert 20 <= len(paid) <= max(20, slots)
    assert held(stage) == [f"takes:{batch}:{MODEL}"]


def test_what_flies_counts_before_the_first_is_accepted(stage: Stage) -> None:
    """Calls that all end together after the last slot was filled are no more than the slots."""
    stage.slots(30)
    batch = stage.batch()
    jobs_of(stage, batch, 80)
    leader = stage.dispatcher()
    leader.run_once()
    first = stage.post.collect()
    assert len(first) == 30
    end(stage, first[:19], all_bad)
    leader.run_once()
    assert stage.post.collect() == []  # 19 refused and 11 under way: not one more before one is accepted
    end(stage, first[19:20], all_good)
    leader.run_once()
    assert len(stage.post.collect()) >= 20  # a few more than there are slots are sent ahead
    assert held(stage) == []


def test_other_lanes_are_not_held(stage: Stage) -> None:
    """Another batch, the same batch with another model, and jobs without a batch."""
    stage.slots(5)
    bad, good = stage.batch(), stage.batch()
    ours = set(jobs_of(stage, bad, 60))
    others = {
        *jobs_of(stage, good, 40),
        *jobs_of(stage, bad, 40, model="gemini-2.5-flash-tts"),
        *jobs_of(stage, None, 40),
    }
    paid = paid_until_still(stage, stage.dispatcher(), lambda job: BAD if job in ours else GOOD)
    assert others <= set(paid)
    assert len(ours & set(paid)) == 20
    assert held(stage) == [f"takes:{bad}:{MODEL}"]


def test_jobs_without_a_batch_are_held_by_tenant_and_model(stage: Stage) -> None:
    """Another tenant's go on."""
    stage.slots(5)
    ours = set(jobs_of(stage, None, 60, tenant="acme"))
    others = set(jobs_of(stage, None, 30))
    paid = set(paid_until_still(stage, stage.dispatcher(), lambda job: BAD if job in ours else GOOD))
    assert (len(ours & paid), others <= paid) == (20, True)
    (name,) = held(stage)
    assert name == f"takes:acme:{MODEL}"
    with stage.database.begin() as connection:
        assert lane_takes.resume(connection, holds.lane_of(name), now=stage.now()) == 1
    assert held(stage) == []


def test_a_batch_with_many_bad_takes_is_not_held(stage: Stage) -> None:
    """Every third is refused."""
    stage.slots(9)
    batch = stage.batch()
    jobs = jobs_of(stage, batch, 90)
    bad = set(jobs[::3])
    paid = paid_until_still(stage, stage.dispatcher(), lambda job: BAD if job in bad else GOOD)
    assert (len(paid), held(stage)) == (90, [])


def test_a_resumed_batch_tries_a_few_takes(stage: Stage) -> None:
    """If all are refused, the batch is held again; if one is accepted, the batch runs to its end."""
    stage.slots(50)
    batch = stage.batch()
    jobs_of(stage, batch, 100)
    leader = stage.dispatcher()
    paid_until_still(stage, leader, all_bad)
    assert resume(stage, batch)
    assert len(paid_until_still(stage, leader, all_bad)) == RESUMED_TAKES
    assert held(stage) == [f"takes:{batch}:{MODEL}"]
    assert resume(stage, batch)
    leader.run_once()
    assert len(stage.post.sent) == RESUMED_TAKES
    paid = paid_until_still(stage, leader, all_good)
    assert len(paid) > 50
    assert held(stage) == []
    assert not resume(stage, batch)


def test_the_count_outlives_its_leader(stage: Stage) -> None:
    """A new leader continues the count of refusals, and a hold is the same for every leader."""
    stage.slots(4)
    batch = stage.batch()
    jobs_of(stage, batch, 80)
    paid = 0
    for _ in range(30):
        stage.lapse()
        leader = stage.dispatcher()
        leader.run_once()
        sent = stage.post.collect()
        end(stage, sent, all_bad)
        paid += len(sent)
    assert paid == 20
    assert held(stage) == [f"takes:{batch}:{MODEL}"]


def test_what_was_sent_and_not_claimed_is_called_back_by_the_hold(stage: Stage) -> None:
    """It isn't paid for."""
    stage.slots(60)
    batch = stage.batch()
    jobs_of(stage, batch, 60)
    leader = stage.dispatcher()
    leader.run_once()
    sent = stage.post.collect()
    end(stage, sent[:20], all_bad)
    leader.run_once()
    assert set(stage.status(*sent[20:])) == {JobStatus.QUEUED}


def test_a_hold_and_its_end_are_events(stage: Stage) -> None:
    """Of the batch's tenant, so that its endpoints hear of them."""
    stage.slots(20)
    batch = stage.batch(tenant="acme")
    jobs_of(stage, batch, 30, tenant="acme")
    paid_until_still(stage, stage.dispatcher(), all_bad)
    resume(stage, batch)
    begun, ended = stage.events("takes.held", "takes.released")
    assert (begun.type, begun.tenant, begun.subject, begun.data["refused"]) == ("takes.held", "acme", str(batch), 20)
    assert (begun.data["batch_id"], begun.data["model"], begun.data["message"]) == (str(batch), MODEL, "silent")
    assert (ended.type, ended.subject) == ("takes.released", str(batch))


def test_it_can_be_switched_off(stage: Stage) -> None:
    """With 0, every take is bought that the jobs may have."""
    stage.slots(4)
    batch = stage.batch()
    jobs_of(stage, batch, 60)
    leader = stage.dispatcher(hold_after_refused=0)
    assert len(paid_until_still(stage, leader, all_bad)) == 60
    assert held(stage) == []


def test_the_limit_can_be_set(stage: Stage) -> None:
    """More patience, and less than there are slots."""
    stage.slots(4)
    batch = stage.batch()
    jobs_of(stage, batch, 60)
    assert len(paid_until_still(stage, stage.dispatcher(hold_after_refused=31), all_bad)) == 31


def test_the_message_says_what_to_do(stage: Stage) -> None:
    """The batch by its name, how many were refused, why, and the command that resumes it."""
    stage.slots(20)
    batch = stage.batch(name="news.csv")
    jobs_of(stage, batch, 30)
    paid_until_still(stage, stage.dispatcher(), all_bad)
    with stage.database.read() as connection:
        (hold,) = [one for one in holds.holds(connection, now=stage.now()) if one.code == lane_takes.CODE]
    assert hold.message == (
        f"news.csv, {MODEL}: 20 paid takes refused in a row; the latest: silent."
        f" `ttsq batch resume {batch}` tries a few more"
    )


def test_held_lanes_take_no_place_from_others(stage: Stage) -> None:
    """However many are held, those that aren't are found."""
    lanes = [stage.batch() for _ in range(30)]
    now = stage.now()
    for lane in lanes:
        jobs_of(stage, lane, 1)
    with stage.database.begin() as connection:
        lane_takes.save(
            connection,
            [lane_takes.TakeCount(lane, "default", MODEL, refused=20, held_at=now) for lane in lanes[:-1]],
        )
        found = dispatches.lanes(connection, most=1)
    assert [lane.lane for lane in found] == lanes[-1:]


def test_no_job_waits_for_a_held_job_that_was_submitted(stage: Stage) -> None:
    """Jobs of other batches that want the same content take their own turns."""
    batch = stage.batch()
    job = stage.job(batch_id=batch, lane=batch, request_id="r-1", attempt=1)
    with stage.database.begin() as connection:
        assert job in followers.in_flight(connection).values()
        count = lane_takes.TakeCount(batch, "default", MODEL, refused=20, held_at=stage.now())
        lane_takes.save(connection, [count])
        assert job not in followers.in_flight(connection).values()


def test_a_removed_batch_leaves_no_count(stage: Stage) -> None:
    """With its row, its counts go."""
    batch = stage.batch()
    with stage.database.begin() as connection:
        lane_takes.save(connection, [lane_takes.TakeCount(batch, "default", MODEL, refused=3)])
        assert prunable.forget_batch(connection, batch)
        assert lane_takes.load(connection, [(batch, "default", MODEL)]) == {}


def test_a_resume_waits_for_the_tick(stage: Stage) -> None:
    """It locks the lease's row, as a pause does; without a leader there is nothing to wait for."""
    batch = stage.batch()
    with stage.database.begin() as connection:
        add_lease(connection, holder=uuid7(), expires_at=stage.now() + timedelta(seconds=4))
        assert not batches.resume(connection, batch, now=stage.now())
