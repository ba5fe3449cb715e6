"""The database's clock steps back or ahead by an hour: starts, rescue, promotion, gates and the lead go on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.dispatcher_harness import SECOND, Stage, await_checks
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.housekeeping import HEARTBEAT_LAPSE_SECONDS
from worker.store import account, workers
from worker.store.account import PaceState
from worker.store.database import Database
from worker.store.tables.workers import Lease

HOUR = timedelta(hours=1)
RESUMED = 10 * SECOND
"""Starts resume within this time after a step."""


class Stepping(Database):
    """A database whose clock a test sets."""

    step = timedelta(0)

    def now(self, connection: Connection) -> datetime:
        return super().now(connection) + self.step


@pytest.fixture
def stage(database: Database) -> Iterator[Stage]:
    """A stage whose clock can step."""
    stepping = Stepping(database.url.render_as_string(hide_password=False))
    yield Stage(stepping)
    stepping.close()


def step(stage: Stage, by: timedelta) -> None:
    """The clock steps, and living workers send their next heartbeats."""
    assert isinstance(stage.database, Stepping)
    stage.database.step += by


def beat(stage: Stage, *alive: object) -> None:
    with stage.database.begin() as connection:
        now = stage.database.now(connection)
        for worker in workers.present(connection):
            if worker.id in alive:
                workers.beat(connection, worker.id, problem=None, stopping=False, now=now)


def resumed(stage: Stage, leader: Dispatcher, *alive: object) -> list[object]:
    """What starts within ten seconds, with heartbeats and ticks as usual."""
    started: list[object] = []
    for _ in range(20):
        beat(stage, *alive)
        leader.run_once()
        started += stage.post.collect()
        step(stage, SECOND / 2)
    return started


@pytest.mark.parametrize("by", [-HOUR, HOUR, -HOUR / 60, -5 * SECOND], ids=str)
@pytest.mark.parametrize("rpm", ["unlimited", 600, None], ids=["unlimited", "rate", "search"])
@pytest.mark.parametrize("fresh", [False, True], ids=["same leader", "new leader"])
def test_starts_go_on(stage: Stage, by: timedelta, rpm: object, fresh: bool) -> None:
    """Waiting jobs, and those that wait for their backoff, under every kind of pace, for a leader that lived through
    the step and for one that did not."""
    worker = stage.worker(slots=100)
    stage.jobs(3)
    first = stage.dispatcher(rpm=rpm, me=worker)
    for _ in range(3):
        first.run_once()
    stage.ended(VerdictKind.PACE, started_at=stage.now() - SECOND, reset_at=stage.now() + 2 * SECOND)
    first.run_once()
    stage.post.collect()
    late = stage.jobs(4)
    late.append(stage.job(status=JobStatus.SCHEDULED, not_before=stage.now() + 3 * SECOND, attempt=1))
    step(stage, by)
    leader = stage.dispatcher(rpm=rpm) if fresh else first
    started = resumed(stage, leader, worker)
    # After three calls a search has found five a minute, or one in twelve seconds.
    assert set(started) >= set(late) if rpm else started


def test_a_later_start_that_a_producer_chose_stays(stage: Stage) -> None:
    """Only waits of our own are moved."""
    worker = stage.worker(slots=9)
    chosen = stage.now() + 90 * SECOND
    job = stage.job(status=JobStatus.SCHEDULED, not_before=chosen, attempt=0)
    leader = stage.dispatcher(me=worker)
    leader.run_once()
    step(stage, -HOUR)
    assert resumed(stage, leader, worker) == []
    assert stage.row(job).not_before == chosen


def test_a_dead_workers_jobs_are_rescued(stage: Stage) -> None:
    """A worker whose last heartbeat lies ahead of the clock is missed like any other; a living one is not."""
    alive, dead = stage.worker(slots=9), stage.worker(slots=9)
    theirs = stage.job(status=JobStatus.RUNNING, worker_id=dead, started_at=stage.now(), attempt=1, attempts_used=1)
    kept = stage.job(status=JobStatus.RUNNING, worker_id=alive, started_at=stage.now(), attempt=1, attempts_used=1)
    leader = stage.dispatcher(me=alive)
    leader.run_once()
    step(stage, -HOUR)
    for _ in range(int(HEARTBEAT_LAPSE_SECONDS) + 4):
        beat(stage, alive)
        leader.run_once()
        step(stage, SECOND)
    assert stage.status(kept) == [JobStatus.RUNNING]
    assert stage.status(theirs) != [JobStatus.RUNNING]


def test_a_lost_message_is_sent_again(stage: Stage) -> None:
    """Its time-out counts from the step at the latest."""
    worker = stage.worker(slots=9)
    job = stage.job()
    leader = stage.dispatcher(me=worker, dispatch_timeout=5)
    leader.run_once()
    assert stage.post.collect() == [job]
    step(stage, -HOUR)
    assert set(resumed(stage, leader, worker)) == {job}


def test_a_lease_from_the_future_is_free(stage: Stage) -> None:
    """A dead leader's lease delays no other for an hour; a living one's still does."""
    dead, new, other = stage.dispatcher(), stage.dispatcher(), stage.dispatcher()
    assert dead.run_once().leads
    step(stage, -HOUR)
    assert new.run_once().leads
    assert not other.run_once().leads
    with stage.database.read() as connection:
        expires_at = connection.execute(select(Lease.expires_at)).scalar_one()
    assert expires_at <= stage.now() + 5 * SECOND


def test_a_gate_that_closed_before_the_step_opens_on_proof(stage: Stage) -> None:
    """A success begun after the step is a proof though the gate seems to close in an hour only; a free check is due
    when it would have been."""
    worker = stage.worker(slots=9)
    leader = stage.dispatcher(me=worker, probe_seconds=5)
    leader.run_once()
    stage.ended(VerdictKind.GATE, scope=GateScope.ACCOUNT, code="spend_limit", message="limit reached")
    leader.run_once()
    assert list(stage.gates()) == ["account"]
    step(stage, -HOUR)
    leader.run_once()
    step(stage, SECOND)
    stage.ended(VerdictKind.SUCCESS, started_at=stage.now() - SECOND / 2)
    leader.run_once()
    assert stage.gates() == {}


def test_a_free_check_is_due_in_time(stage: Stage) -> None:
    """A gate whose check was due in five seconds is checked within ten."""
    worker = stage.worker(slots=9)
    leader = stage.dispatcher(me=worker, probe_seconds=5)
    leader.run_once()
    stage.ended(VerdictKind.GATE, scope=GateScope.ACCOUNT, code="bad_key", message="no such key")
    leader.run_once()
    step(stage, -HOUR)
    for _ in range(10):
        beat(stage, worker)
        leader.run_once()
        await_checks()
        step(stage, SECOND)
    leader.run_once()
    assert stage.gates() == {}


def test_a_pace_read_from_an_older_clock_holds_nothing(stage: Stage) -> None:
    """Without any trace of the step but the pace itself, a start that lies further ahead than one spacing is due."""
    stage.worker(slots=9)
    job = stage.job()
    with stage.database.begin() as connection:
        account.save_pace(connection, PaceState(rpm=60.0, next_start_at=stage.now() + HOUR))
    stage.dispatcher(rpm=60.0).run_once()
    assert stage.post.collect() == [job]
