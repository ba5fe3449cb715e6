"""A dispatcher without work rests: it renews its lease and little else, until a notification wakes it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import update

from tests.dispatcher_harness import Stage
from worker.dispatch.dispatcher import Dispatcher
from worker.dispatch.tick import REST_POLL_SECONDS, Tick, wait_seconds
from worker.store import notifications
from worker.store.database import Database
from worker.store.tables.workers import Lease
from worker.store.transitions.dispatches import Waiting

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
PATIENCE = 30.0


def at_rest(stage: Stage) -> Dispatcher:
    """A leader whose last tick found nothing, and whose notifications arrive."""
    leader = stage.dispatcher()
    assert leader.run_once().leads
    leader._leads = True
    leader._listener.is_listening = True
    return leader


def test_it_rests_without_work(database: Database) -> None:
    """Its ticks are further apart, and it keeps the lead."""
    stage = Stage(database)
    stage.worker()
    leader = at_rest(stage)
    resting = leader.rest_or_run()
    assert resting.leads
    assert resting.at_rest
    assert wait_seconds(resting) == REST_POLL_SECONDS
    assert not stage.dispatcher().run_once().leads


def test_a_job_ends_the_rest(database: Database) -> None:
    """Also one that nothing announced: the next tick finds it."""
    stage = Stage(database)
    stage.worker()
    leader = at_rest(stage)
    job = stage.job()
    assert not leader.rest_or_run().at_rest
    assert stage.post.collect() == [job]


def test_it_never_rests_where_no_notification_arrives(database: Database) -> None:
    """Jobs would start late."""
    stage = Stage(database)
    leader = at_rest(stage)
    leader._listener.is_listening = False
    assert not leader.rest_or_run().at_rest


def test_a_lost_lease_ends_the_rest(database: Database) -> None:
    """Another process leads: this one must notice."""
    stage = Stage(database)
    leader = at_rest(stage)
    with database.begin() as connection:
        until = database.now(connection) + timedelta(seconds=4)
        connection.execute(update(Lease).values(holder=uuid4(), expires_at=until))
    assert not leader.rest_or_run().leads


def test_a_rest_is_no_delay_to_make_up_for(database: Database) -> None:
    """After it, starts are spaced as ever: no burst."""
    stage = Stage(database)
    stage.worker(slots=100)
    leader = stage.dispatcher(rpm=600)
    assert leader.run_once().leads
    now = stage.now()
    stage.jobs(50)
    leader._rests = True
    assert leader._pace is not None
    leader._pace = replace(leader._pace, next_start_at=now - HOUR, ticked_at=now - 2 * SECOND)
    leader.run_once()
    assert 1 <= len(stage.post.collect()) <= 4


def test_a_resting_dispatcher_is_woken(database: Database) -> None:
    """By the notification of a job, in a loop that would tick again in an hour."""
    stage = Stage(database)
    stage.worker()
    started = threading.Event()

    def publish(jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        if jobs:
            started.set()
        return []

    rested = threading.Event()

    def wait(tick: Tick) -> float:
        if tick.at_rest:
            rested.set()
        return 3_600.0 if tick.at_rest else 0.05

    leader = stage.dispatcher()
    leader.publish, leader.max_wait = publish, wait
    leader.start()
    try:
        assert rested.wait(PATIENCE)
        stage.job()
        with database.begin() as connection:
            notifications.announce(connection)
        assert started.wait(PATIENCE)
    finally:
        leader.stop()
