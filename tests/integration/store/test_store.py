"""The store beside the jobs: exact money, instants in UTC, leases, gates, the pace and the signs of life."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import StatementError
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from api_models.verdict import GateScope
from tests.factories import MODEL, NOW, a_gate, add_attempt, add_gate, add_job, add_lease, add_worker, job_row, stored
from worker.store import account, workers
from worker.store.account import PaceState
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import actions

SECOND = timedelta(seconds=1)


def test_money_is_exact_to_the_picodollar_through_a_sum(database: Database) -> None:
    """A thousand odd amounts add up to the last digit, where floats would not."""
    rng = random.Random(11)
    costs = [Decimal(rng.randrange(10**13)).scaleb(-12) for _ in range(1_000)] + [Decimal("0.1")] * 3
    with database.begin() as connection:
        actions.submit(connection, [job_row(cost=cost) for cost in costs])
        assert job_queries.counts(connection, job_queries.all_jobs()).cost == sum(costs)


@pytest.mark.parametrize(
    ("amount", "kept"),
    [
        ("0.000000000001", "0.000000000001"),
        ("9000000", "9000000"),
        ("0.0067", "0.0067"),
        ("10", "10"),
        ("0", "0"),
        ("1E+2", "100"),
        ("0.0000000000014", "0.000000000001"),
    ],
)
def test_amounts_come_back_as_they_went_in(database: Database, amount: str, kept: str) -> None:
    """Without trailing zeros; what is finer than a picodollar is rounded."""
    with database.begin() as connection:
        add_attempt(connection, cost=Decimal(amount), remaining_credits=None)
        assert f"{connection.execute(select(Attempt.cost)).scalar_one():f}" == kept
        assert connection.execute(select(Attempt.remaining_credits)).scalar_one() is None


def test_an_instant_is_the_same_moment_in_utc(database: Database) -> None:
    """Whatever its zone was, to the microsecond, and comparable in SQL."""
    moment = datetime(2026, 11, 21, 1, 2, 3, 456_789, tzinfo=timezone(timedelta(hours=9)))
    with database.begin() as connection:
        job = add_job(connection, created_at=moment)
        found = stored(connection, job).created_at
        earlier = select(func.count()).select_from(Job).where(Job.created_at < moment + timedelta(microseconds=1))
        assert connection.execute(earlier).scalar_one() == 1
        assert connection.execute(earlier.where(Job.created_at < moment)).scalar_one() == 0
    assert found == moment
    assert found.tzinfo is UTC


def test_a_naive_time_is_refused(database: Database) -> None:
    """The moment it means is ambiguous, both in a row and in a condition."""
    naive = NOW.replace(tzinfo=None)
    with database.begin() as connection:
        with pytest.raises(StatementError, match="naive"):
            add_job(connection, created_at=naive)
        with pytest.raises(StatementError, match="naive"):
            connection.execute(select(Job.id).where(Job.created_at < naive))


def test_the_databases_clock_has_a_zone(database: Database) -> None:
    """It also advances within a transaction, as leases require."""
    with database.begin() as connection:
        first, second = database.now(connection), database.now(connection)
    assert first.tzinfo is UTC
    assert first <= second


def test_a_server_of_another_isolation_level_changes_nothing(on_postgresql: Database) -> None:
    """The statements count on seeing what others committed while they waited, whatever the server's default is."""
    name = on_postgresql.url.database
    with on_postgresql.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_isolation TO 'serializable'"))
    database = Database(on_postgresql.url.render_as_string(hide_password=False))
    for way in (database.begin, database.at_once, database.read, database.glance):
        with way() as connection:
            assert connection.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
    database.close()


def test_writers_wait_for_one_another(database: Database) -> None:
    """Many threads that write at once all get through."""
    with database.begin() as connection:
        job = add_job(connection)

    def charge(_: int) -> None:
        with database.begin() as connection:
            connection.execute(update(Job).where(Job.id == job).values(cost=Job.cost + Decimal("0.01")))

    with ThreadPoolExecutor(12) as executor:
        list(executor.map(charge, range(60)))
    with database.read() as connection:
        assert stored(connection, job).cost == Decimal("0.6")


def test_a_block_that_raises_writes_nothing(database: Database) -> None:
    """The whole transaction is rolled back."""

    def fail_half_way() -> None:
        with database.begin() as connection:
            add_job(connection)
            raise KeyError

    with pytest.raises(KeyError):
        fail_half_way()
    with database.read() as connection:
        assert job_queries.counts(connection, job_queries.all_jobs()).total == 0


def test_the_first_to_ask_holds_a_lease_until_it_lapses(database: Database) -> None:
    """At once, renewed at will, and refused to others until its time is up."""
    me, other = uuid7(), uuid7()
    with database.begin() as connection:
        assert workers.hold(connection, "duty", me, seconds=4, now=NOW)
        assert workers.hold(connection, "duty", me, seconds=4, now=NOW + SECOND)
        assert not workers.hold(connection, "duty", other, seconds=4, now=NOW + 4 * SECOND)
        assert workers.hold(connection, "other duty", other, seconds=4, now=NOW)
        assert workers.holder(connection, "duty", now=NOW + 4 * SECOND) == me
        assert workers.holder(connection, "duty", now=NOW + 5 * SECOND) is None
        assert workers.hold(connection, "duty", other, seconds=4, now=NOW + 5 * SECOND)
        assert not workers.hold(connection, "duty", me, seconds=4, now=NOW + 6 * SECOND)


@pytest.mark.parametrize("held_before", [False, True])
def test_of_many_who_ask_one_gets_the_lease(database: Database, held_before: bool) -> None:
    """Whether it is new or has just lapsed."""
    rivals = 10
    if held_before:
        with database.begin() as connection:
            add_lease(connection, name="duty", expires_at=NOW)
    line = threading.Barrier(rivals)

    def ask(_: int) -> bool:
        line.wait()
        with database.begin() as connection:
            return workers.hold(connection, "duty", uuid7(), seconds=4, now=NOW)

    with ThreadPoolExecutor(rivals) as executor:
        assert sum(executor.map(ask, range(rivals))) == 1


def test_leases_are_given_up_with_their_holder(database: Database) -> None:
    """A worker that stops leaves no duty to wait for."""
    me = uuid7()
    with database.begin() as connection:
        workers.hold(connection, "duty", me, seconds=4, now=NOW)
        workers.release_leases(connection, uuid7())
        assert workers.holder(connection, "duty", now=NOW) == me
        workers.release_leases(connection, me)
        assert workers.hold(connection, "duty", uuid7(), seconds=4, now=NOW)


def close(database: Database, *, code: str = "bad_key", now: datetime = NOW) -> bool:
    """Close the account's gate."""
    with database.begin() as connection:
        return account.close_gate(
            connection, GateScope.ACCOUNT, MODEL, code=code, message="m", next_probe_at=now + 30 * SECOND, now=now
        )


def test_a_gate_is_closed_once_and_opened_once(database: Database) -> None:
    """Only the caller that changed it gets True, so that each change is reported once; a new closing has a new time."""
    assert close(database)
    assert not close(database, code="insufficient_credits", now=NOW + SECOND)
    with database.begin() as connection:
        (gate,) = account.closed_gates(connection)
        assert gate == a_gate(code="bad_key", message="m")
        assert account.begin_probe(connection, gate, next_probe_at=NOW + 90 * SECOND)
        assert not account.begin_probe(connection, gate, next_probe_at=NOW + 90 * SECOND)
        assert account.open_gate(connection, "account")
        assert not account.open_gate(connection, "account")
        assert account.closed_gates(connection) == []
    assert close(database, code="spend_limit", now=NOW + SECOND)
    with database.read() as connection:
        (gate,) = account.closed_gates(connection)
    assert (gate.code, gate.since, gate.probes) == ("spend_limit", NOW + SECOND, 0)


def test_a_repeated_error_keeps_the_time_and_updates_the_message(database: Database) -> None:
    """Since when it holds doesn't change; what is in the way may."""
    with database.begin() as connection:
        add_gate(connection, a_gate())
        account.still_closed(connection, "account", code="spend_limit", message="Spend limit reached")
        (gate,) = account.closed_gates(connection)
        assert gate == a_gate(code="spend_limit", message="Spend limit reached")
        account.open_gate(connection, "account")
        account.still_closed(connection, "account", code="bad_key", message="late news")
        assert account.closed_gates(connection) == []


def test_a_probe_is_put_off_and_never_brought_forward(database: Database) -> None:
    """While something that waits behind a gate tries it anyway; what a hand closed has no probes, and keeps its row."""
    with database.begin() as connection:
        add_gate(connection, a_gate())
        (gate,) = account.closed_gates(connection)
        account.put_off_probe(connection, "account", until=gate.next_probe_at + SECOND)
        account.put_off_probe(connection, "account", until=gate.next_probe_at)
        assert account.closed_gates(connection) == [replace(gate, next_probe_at=gate.next_probe_at + SECOND)]
        account.hold_gate(connection, GateScope.ACCOUNT, None, message="by hand", now=NOW)
        held = account.closed_gates(connection)
        account.put_off_probe(connection, "account", until=NOW + 90 * SECOND)
        assert account.closed_gates(connection) == held


def test_the_pace_outlives_its_leader(database: Database) -> None:
    """A new leader resumes where the old one stopped; before the first, nothing is paused."""
    pace = PaceState(rpm=90.5, next_start_at=NOW, paused_until=NOW + SECOND, strikes=3, message="Slow down")
    with database.begin() as connection:
        assert account.load_pace(connection) == PaceState()
        for kept in (PaceState(rpm=1), pace):
            account.save_pace(connection, kept)
        assert account.load_pace(connection) == pace


def test_a_worker_that_was_given_up_is_taken_back_in(database: Database) -> None:
    """Its next heartbeat reports that it had been retired; from then on it counts as live again."""
    with database.begin() as connection:
        worker = add_worker(connection)
        assert workers.beat(connection, worker, problem="disk full", stopping=False, now=NOW + SECOND)
        (member,) = workers.present(connection)
        assert (member.problem, member.heartbeat_at) == ("disk full", NOW + SECOND)
        workers.sign_off(connection, worker, now=NOW)
        assert workers.present(connection) == []
        assert not workers.beat(connection, worker, problem=None, stopping=False, now=NOW + 2 * SECOND)
        (member,) = workers.present(connection)
    assert (member.problem, member.stopping) == (None, False)


def test_long_gone_workers_are_forgotten(database: Database) -> None:
    """Those present, and those that stopped just now, are kept."""
    with database.begin() as connection:
        add_worker(connection)
        for age in (SECOND, timedelta(days=8)):
            workers.sign_off(connection, add_worker(connection), now=NOW - age)
        assert workers.forget(connection, stopped_before=NOW - timedelta(days=7)) == 1
        assert workers.forget(connection, stopped_before=NOW) == 1
        assert len(workers.present(connection)) == 1


def test_counts_say_how_a_selection_stands(database: Database) -> None:
    """By state, with copies and costs; an empty one costs nothing."""
    with database.begin() as connection:
        for status in JobStatus:
            add_job(connection, status=status, worker_id=uuid7(), cost=Decimal("0.5"))
        add_job(connection, status=JobStatus.SUCCEEDED, cached=True)
        found = job_queries.counts(connection, job_queries.all_jobs())
        nothing = job_queries.counts(connection, job_queries.of_batch(uuid7()))
    assert found.by_status == {**dict.fromkeys(JobStatus, 1), JobStatus.SUCCEEDED: 2}
    assert (found.total, found.cached, found.cost) == (9, 1, Decimal(4))
    assert (nothing.total, nothing.cached, nothing.cost) == (0, 0, Decimal(0))


def test_a_job_is_found_by_the_beginning_of_its_id(database: Database) -> None:
    """With or without hyphens, in any case; words that are no digits of an id find nothing."""
    with database.begin() as connection:
        jobs = [add_job(connection) for _ in range(3)]
        for typed in (str(jobs[1]), jobs[1].hex, str(jobs[1]).upper()):
            assert [job.id for job in job_queries.by_id_prefix(connection, typed)] == [jobs[1]]
        assert len(job_queries.by_id_prefix(connection, jobs[0].hex[:6], most=2)) == 2
        assert job_queries.by_id_prefix(connection, "%") == []
        assert job_queries.by_id_prefix(connection, "") == []
