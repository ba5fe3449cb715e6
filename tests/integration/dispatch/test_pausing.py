"""Paused batches: none of their jobs start, published ones are called back, and other batches lose no slot."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from tests.dispatcher_harness import SECOND, Stage
from tests.factories import MODEL
from worker.store import batches, workers
from worker.store.database import Database
from worker.store.queries import holds
from worker.store.transitions import claims, dispatches


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database, with room for all."""
    stage = Stage(database)
    stage.worker(slots=100)
    return stage


def pause(stage: Stage, batch: UUID) -> bool:
    """Pause a batch, in its own transaction."""
    with stage.database.begin() as connection:
        return batches.pause(connection, batch, now=stage.database.now(connection))


def resume(stage: Stage, batch: UUID) -> bool:
    """Let a batch go on."""
    with stage.database.begin() as connection:
        return batches.resume(connection, batch, now=stage.database.now(connection))


def jobs_of(stage: Stage, batch: UUID, count: int) -> list[UUID]:
    """`count` queued jobs of a batch."""
    return stage.jobs(count, batch_id=batch, lane=batch)


def test_nothing_of_a_paused_batch_starts_until_it_is_resumed(stage: Stage) -> None:
    """Other jobs go on meanwhile, and the batch afterwards."""
    batch = stage.batch()
    mine, others = jobs_of(stage, batch, 3), stage.jobs(2)
    assert pause(stage, batch)
    leader = stage.dispatcher()
    leader.run_once()
    assert stage.post.collect() == others
    assert resume(stage, batch)
    leader.run_once()
    assert stage.post.collect() == mine


def test_what_was_sent_and_not_claimed_is_called_back(stage: Stage) -> None:
    """Running jobs continue; a message that arrives late claims nothing."""
    batch = stage.batch()
    running, sent = jobs_of(stage, batch, 2)
    offload = stage.job()
    stage.dispatcher().run_once()
    worker = stage.worker(slots=0)
    with stage.database.begin() as connection:
        claims.claim(connection, running, 0, worker_id=worker, now=stage.database.now(connection))
    assert pause(stage, batch)
    assert stage.status(running, sent, offload) == [JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.DISPATCHED]
    with stage.database.begin() as connection:
        late = claims.claim(connection, sent, 0, worker_id=worker, now=stage.database.now(connection))
    assert late is None


def test_pausing_and_resuming_tell_whether_they_changed_anything(stage: Stage) -> None:
    """A second pause keeps the first one's time."""
    batch = stage.batch()
    assert not resume(stage, batch)
    assert pause(stage, batch)
    with stage.database.read() as connection:
        [first] = batches.paused(connection, most=9)
    assert not pause(stage, batch)
    with stage.database.read() as connection:
        assert batches.paused(connection, most=9) == [first]
    assert resume(stage, batch)
    assert not resume(stage, batch)
    assert not pause(stage, uuid7())


def test_paused_batches_take_no_place_in_the_look_over_lanes(stage: Stage) -> None:
    """However many there are, of the same priority or a higher one."""
    paused = [stage.batch(paused_at=stage.now()) for _ in range(30)]
    for number, batch in enumerate(paused):
        stage.job(batch_id=batch, lane=batch, priority=number % 2)
    running = stage.batch()
    job = stage.job(batch_id=running, lane=running)
    loose = stage.job(priority=-1)
    with stage.database.read() as connection:
        first = dispatches.lanes(connection, most=1)
        behind = dispatches.lanes(connection, most=1, after=first[0])
    assert [lane.lane for lane in first] == [running]
    assert [lane.priority for lane in behind] == [-1]
    stage.dispatcher().run_once()
    assert stage.post.collect() == [job, loose]


def test_no_probe_is_made_with_a_job_of_a_paused_batch(stage: Stage) -> None:
    """A gate with a due probe waits for a job of another batch."""
    batch = stage.batch()
    jobs_of(stage, batch, 1)
    stage.close(model=MODEL, code="forbidden", next_probe_at=stage.now() - SECOND)
    pause(stage, batch)
    leader = stage.dispatcher()
    leader.run_once()
    assert stage.post.collect() == []
    other = stage.job()
    leader.run_once()
    assert stage.post.collect() == [other]


def test_paused_batches_are_named_among_the_holds(stage: Stage) -> None:
    """With their names, since when, and what to do; those that are over are not."""
    batch = stage.batch(name="news.csv")
    stage.batch(name="old.csv", paused_at=stage.now(), finished_at=stage.now())
    pause(stage, batch)
    with stage.database.read() as connection:
        now = stage.database.now(connection)
        found = [hold for hold in holds.holds(connection, now=now) if hold.code == "paused"]
    assert [hold.name for hold in found] == [f"paused:{batch}"]
    assert f"ttsq batch resume {batch}" in found[0].message
    assert found[0].message.startswith("news.csv")
    assert found[0].since is not None


def test_a_pause_waits_for_the_tick_that_is_under_way(on_postgresql: Database) -> None:
    """What that tick sends out is called back: nothing of the batch stays sent behind the pause."""
    stage = Stage(on_postgresql)
    batch = stage.batch()
    leader = stage.dispatcher()
    leader.run_once()
    jobs = jobs_of(stage, batch, 5)
    pauser = threading.Thread(target=pause, args=(stage, batch))
    with stage.database.begin() as tick:
        now = stage.database.now(tick)
        assert workers.hold(tick, workers.DISPATCHER, leader.me, seconds=4, now=now)
        dispatches.dispatch(tick, jobs, worker_id=None, now=now)
        pauser.start()
        while pauser.is_alive() and not somebody_waits(stage):
            pauser.join(0.01)
    pauser.join()
    assert stage.status(*jobs) == [JobStatus.QUEUED] * 5


def somebody_waits(stage: Stage) -> bool:
    """Whether a transaction in this PostgreSQL waits for another one."""
    with stage.database.glance() as connection:
        return bool(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())
