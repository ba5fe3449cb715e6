"""The dispatcher is notified of new jobs between two ticks, and of nothing else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, cast
from uuid import UUID

from sqlalchemy import text
from structlog.testing import capture_logs

from api_models.status import JobStatus
from tests.cluster.waiting import wait_for
from tests.dispatcher_harness import Stage
from tests.factories import ORIGIN, a_request
from tests.servers.ports import free_port
from tests.servers.postgres import Postgres
from worker import producer
from worker.dispatch.listener import Listener
from worker.store import notifications
from worker.store.database import Database
from worker.store.transitions import actions
from worker.store.transitions.dispatches import Waiting

PATIENCE = 30.0
NEVER = 3_600.0


def hand_in(database: Database) -> UUID:
    """One job by another engine than the dispatcher's, as another process would."""
    other = Database(database.url.render_as_string(hide_password=False), connections=1)
    with closing(other), other.begin() as connection:
        return producer.enqueue(connection, a_request(), origin=ORIGIN)


@contextmanager
def listening(
    database: Database, heard: Callable[[], None], leads: Callable[[], bool] = lambda: True
) -> Iterator[None]:
    """A listener for the length of the block."""
    listener = Listener(database, {notifications.CHANNEL: heard}, leads)
    listener.start()
    try:
        yield
    finally:
        listener.stop()


def listeners(database: Database) -> int:
    """Sessions of PostgreSQL that listen."""
    with database.read() as connection:
        query = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        return int(connection.execute(query).scalar_one())


def notices(database: Database, work: Callable[[], object]) -> list[str]:
    """What is heard on the channel of what `work` does, in order."""
    with database.at_once() as connection:
        connection.execute(text(f"LISTEN {notifications.CHANNEL}"))
        work()
        with database.at_once() as other:
            other.execute(text(f"NOTIFY {notifications.CHANNEL}, 'the end'"))
        driver: Any = connection.connection.driver_connection
        found = []
        for notice in driver.notifies(timeout=PATIENCE):
            found.append(notice.payload)
            if notice.payload == "the end":
                break
        connection.execute(text("UNLISTEN *"))
    return found


def test_a_job_starts_with_no_look_due(database: Database) -> None:
    """A dispatcher that would look again in an hour starts each job as soon as another process has committed it."""
    stage = Stage(database)
    stage.worker(slots=50)
    came: dict[UUID, threading.Event] = {}
    some = threading.Condition()

    def publish(jobs: Sequence[Waiting]) -> Sequence[Waiting]:
        with some:
            for job in jobs:
                came.setdefault(job.job_id, threading.Event()).set()
        return []

    leader = stage.dispatcher()
    leader.publish = publish
    leader.max_wait = lambda tick: NEVER if tick.leads else 0.1
    leader.start()
    try:
        # More than the looks that its start and the beginning of its listening may bring.
        for _ in range(6):
            job = hand_in(database)
            with some:
                started = came.setdefault(job, threading.Event())
            assert started.wait(PATIENCE)
    finally:
        leader.stop()


def test_a_commit_notifies_the_listener(database: Database) -> None:
    """A listener is notified of a commit by any connection."""
    with notifications.watch(database) as wait:
        hand_in(database)
        assert wait(PATIENCE)


def test_a_rollback_sends_no_notice(on_postgresql: Database) -> None:
    """The notice is part of the transaction: it goes where the job goes."""

    def give_up() -> None:
        with on_postgresql.engine.connect() as connection:
            producer.enqueue(connection, a_request(), origin=ORIGIN)
            connection.rollback()

    assert notices(on_postgresql, give_up) == ["the end"]
    assert notices(on_postgresql, lambda: hand_in(on_postgresql)) == ["", "the end"]


def test_a_rollback_changes_no_file(on_sqlite: Database) -> None:
    """The same on SQLite: no notice is pending, and the next commit sends one."""
    with notifications.watch(on_sqlite) as wait:
        with on_sqlite.engine.connect() as connection:
            producer.enqueue(connection, a_request(), origin=ORIGIN)
            connection.rollback()
        assert not wait(0.05)
        hand_in(on_sqlite)
        assert wait(PATIENCE)


def test_other_changes_are_no_arrivals(on_sqlite: Database) -> None:
    """A file changes constantly; only new jobs count."""
    stage = Stage(on_sqlite)
    with notifications.watch(on_sqlite) as wait:
        stage.worker()
        assert not wait(0.05)


def test_retried_jobs_notify_the_listener(on_postgresql: Database) -> None:
    """Retried jobs notify like new ones. A retry that selects none sends no notice."""
    stage = Stage(on_postgresql)
    job = stage.job(status=JobStatus.CANCELLED, finished_at=stage.now())

    def again() -> None:
        with on_postgresql.begin() as connection:
            actions.retry(connection, actions.these([job]), states=[JobStatus.CANCELLED])

    assert notices(on_postgresql, again) == ["", "the end"]
    assert notices(on_postgresql, again) == ["the end"]


def test_producers_don_t_queue_up_to_give_notice(on_postgresql: Database) -> None:
    """While one notice waits for its commit, others commit without one: PostgreSQL would serialize them."""
    with on_postgresql.engine.connect() as slow:
        producer.enqueue(slow, a_request(), origin=ORIGIN)
        assert notices(on_postgresql, lambda: hand_in(on_postgresql)) == ["the end"]
        assert notices(on_postgresql, slow.commit) == ["", "the end"]
    assert notices(on_postgresql, lambda: hand_in(on_postgresql)) == ["", "the end"]


def test_a_transaction_of_two_phases_comes_without_a_notice(on_postgresql: Database) -> None:
    """PostgreSQL prepares none with a notice in it; its jobs are found by looking."""

    def in_two_phases() -> None:
        with on_postgresql.engine.connect() as connection:
            both = connection.begin_twophase()
            producer.enqueue(connection, a_request(), origin=ORIGIN)
            both.commit()

    assert notices(on_postgresql, in_two_phases) == ["the end"]


def test_a_restart_of_the_database_is_outlived(on_postgresql: Database, postgres: Postgres) -> None:
    """The listener reconnects, and is notified of later submissions."""
    heard = threading.Event()
    with listening(on_postgresql, heard.set):
        assert heard.wait(PATIENCE)  # it listens
        heard.clear()
        hand_in(on_postgresql)
        assert heard.wait(PATIENCE)
        heard.clear()
        postgres.crash()
        on_postgresql.engine.dispose()
        assert heard.wait(PATIENCE)  # it listens again, and takes a look at what it may have missed
        heard.clear()
        hand_in(on_postgresql)
        assert heard.wait(PATIENCE)


def test_only_who_leads_listens(on_postgresql: Database) -> None:
    """One connection where it leads, and none when it leads no more."""
    leads, heard = threading.Event(), threading.Event()
    leads.set()
    with listening(on_postgresql, heard.set, leads.is_set):
        assert heard.wait(PATIENCE)
        assert listeners(on_postgresql) == 1
        leads.clear()
        wait_for(lambda: listeners(on_postgresql) == 0, seconds=PATIENCE, what="no connection left")
        leads.set()
        wait_for(lambda: listeners(on_postgresql) == 1, seconds=PATIENCE, what="one connection")
    wait_for(lambda: listeners(on_postgresql) == 0, seconds=PATIENCE, what="no connection left after the stop")


def test_a_database_that_refuses_is_asked_again() -> None:
    """A listener that can't connect logs it once, and ends in good order when stopped."""
    unreachable = Database(f"postgresql+psycopg://user:nothing@127.0.0.1:{free_port()}/none")
    told = threading.Event()

    def leads() -> bool:
        told.set()
        return True

    with capture_logs() as logs, listening(unreachable, lambda: None, leads):
        assert told.wait(PATIENCE)
        wait_for(lambda: logs, seconds=PATIENCE, what="a word in the log")
    unreachable.close()
    assert [cast("str", entry["event"]) for entry in logs] == ["notify_unavailable"]
    assert "nothing" not in str(logs[0]["error"])
