"""The leader's lease: never expired at birth, never taken from a leader at work, held by one process at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, select, text
from uuid_utils.compat import uuid7

from tests.cluster.waiting import wait_for
from tests.dispatcher_harness import SECOND, Stage
from worker.dispatch.dispatcher import LEASE_SECONDS
from worker.dispatch.lease import LeaderLease
from worker.store import workers
from worker.store.database import Database
from worker.store.tables.workers import Lease

PATIENCE = 30.0


class Slow(Database):
    """A database whose clock a test advances, as if its statements took that long."""

    passed = timedelta(0)

    def now(self, connection: Connection) -> datetime:
        return super().now(connection) + self.passed


@pytest.fixture
def slow(on_postgresql: Database) -> Iterator[Slow]:
    """On PostgreSQL, where rows are locked."""
    made = Slow(on_postgresql.url.render_as_string(hide_password=False))
    yield made
    made.close()


def remaining(database: Database) -> float:
    """Seconds until the lease expires."""
    with database.read() as connection:
        expires_at = connection.execute(select(Lease.expires_at)).scalar_one()
        return (expires_at - database.now(connection)).total_seconds()


def is_someone_waiting(database: Database) -> bool:
    with database.read() as connection:
        return bool(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar())


def test_a_lease_is_never_expired_when_it_is_written(slow: Slow) -> None:
    """A leader that had to wait for its row counts from the end of the wait, not from its beginning."""
    leader = Stage(slow).dispatcher()
    leader.run_once()
    leader._leads = True
    with slow.begin() as held:
        workers.await_tick(held)
        tick = threading.Thread(target=leader.run_once)
        tick.start()
        wait_for(lambda: is_someone_waiting(slow), seconds=PATIENCE, what="a tick that waits")
        slow.passed += timedelta(seconds=LEASE_SECONDS + 1)
    tick.join(PATIENCE)
    assert LEASE_SECONDS - 2 < remaining(slow) <= LEASE_SECONDS


def test_a_slow_tick_renews_its_lease_before_it_commits(slow: Slow) -> None:
    """Others see it with time left, not as it was when the tick began."""
    clock = [100.0]
    lease = LeaderLease(slow, uuid7(), LEASE_SECONDS, monotonic=lambda: clock[0])
    with slow.begin() as connection:
        assert lease.hold(connection, leads=False)[1]
        clock[0] += 6
        slow.passed += 6 * SECOND
        lease.renew_if_slow(connection)
    lease.committed()
    assert remaining(slow) > LEASE_SECONDS - 2
    assert lease.is_valid
    clock[0] += LEASE_SECONDS
    assert not lease.is_valid


def test_a_leader_at_work_keeps_the_lead(slow: Slow) -> None:
    """However slow its tick: others neither wait for it nor take its lease, though it seems to have expired."""
    stage = Stage(slow)
    leader, others = LeaderLease(slow, uuid7(), LEASE_SECONDS), [stage.dispatcher() for _ in range(4)]
    with slow.begin() as connection:
        assert lease_of(leader, connection)
    with slow.begin() as connection:
        assert lease_of(leader, connection)
        slow.passed += 20 * SECOND
        assert [other.run_once().leads for other in others] == [False] * 4
    assert sum(other.run_once().leads for other in others) == 1


def lease_of(lease: LeaderLease, connection: Connection) -> bool:
    return lease.hold(connection, leads=True)[1]


def test_the_first_lease_of_all_goes_to_one(on_postgresql: Database) -> None:
    """Five that begin at once."""
    stage = Stage(on_postgresql)
    dispatchers = [stage.dispatcher() for _ in range(5)]
    led: list[bool] = []
    threads = [threading.Thread(target=lambda one=one: led.append(one.run_once().leads)) for one in dispatchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(led) == [False] * 4 + [True]


def test_a_lead_is_not_claimed_longer_than_the_lease(on_sqlite: Database) -> None:
    """A leader whose tick hangs may have been replaced: its other duties stop without asking the database."""
    leader = Stage(on_sqlite).dispatcher()
    assert not leader.leads
    leader.run_once()
    leader._leads = True
    assert leader.leads
    now = leader._lease.monotonic()
    leader._lease.monotonic = lambda: now + LEASE_SECONDS
    assert not leader.leads
