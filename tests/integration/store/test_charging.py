"""Handles and costs in the store: one handle per job and one cost per call, whichever attempt delivers it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import Connection, update
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.factories import NOW, a_claim, a_settlement, add_attempt, add_job, ledger, stored
from worker.store.database import Database
from worker.store.tables.jobs import Job
from worker.store.transitions import (
    actions,
    billing,
    claims,
    dispatches,
    rescues,
)
from worker.store.transitions import (
    settlement as job_settlement,
)
from worker.store.transitions.claims import Claim
from worker.store.transitions.settlement import Settlement

COST: Final = Decimal("0.0067")
LATER: Final = NOW + timedelta(minutes=5)
DEAD: Final = uuid7()
Q, D, R = JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.RUNNING


def a_run(**fields: Any) -> Settlement:  # noqa: ANN401 - any field of it
    """The audio of the run r-1, stored."""
    plain: dict[str, Any] = {"request_id": "r-1", "spent_handle": "r-1", "cost": COST}
    return a_settlement(**(plain | fields))


def taken_over(connection: Connection, **columns: object) -> tuple[Claim, Claim]:
    """Two claims of one job: a worker that was given up, and the one that has it now."""
    job = add_job(connection, status=D, **columns)
    first = claims.claim(connection, job, 0, worker_id=DEAD, now=NOW)
    rescues.rescue(connection, [DEAD], max_attempts=5, now=NOW)
    dispatches.dispatch(connection, [job], worker_id=None, now=NOW)
    second = claims.claim(connection, job, 1, worker_id=uuid7(), now=NOW)
    assert first is not None
    assert second is not None
    return first, second


def handle_of(connection: Connection, job: UUID) -> str | None:
    """What the row names as submitted."""
    found: str | None = stored(connection, job).request_id
    return found


def test_the_owner_writes_its_handle_whatever_stands_there(database: Database) -> None:
    """It has submitted a text of its own; the one that came late is polled by its own worker alone."""
    with database.begin() as connection:
        first, second = taken_over(connection)
        claims.keep(connection, [(first, "r-1")])
        assert handle_of(connection, first.job_id) == "r-1"
        claims.keep(connection, [(second, "r-2")])
        assert handle_of(connection, first.job_id) == "r-2"
        claims.keep(connection, [(first, "r-3")])
        assert handle_of(connection, first.job_id) == "r-2"


@pytest.mark.parametrize("status", JobStatus)
def test_a_late_handle_is_kept_wherever_it_may_be_of_use(database: Database, status: JobStatus) -> None:
    """Also for a job that failed or was cancelled, because it can be tried again; never for one that has its audio."""
    with database.begin() as connection:
        job = add_job(connection, status=status, worker_id=uuid7(), attempt=7, not_before=NOW)
        claims.keep(connection, [(a_claim(job_id=job, attempt=6), "r-1")])
        assert handle_of(connection, job) == (None if status is JobStatus.SUCCEEDED else "r-1")


def test_handles_are_kept_in_groups(database: Database) -> None:
    """Each in its own row."""
    with database.begin() as connection:
        jobs = [add_job(connection, status=R, attempt=1) for _ in range(3)]
        claims.keep(connection, [(a_claim(job_id=job), f"r-{number}") for number, job in enumerate(jobs)])
        assert [handle_of(connection, job) for job in jobs] == ["r-0", "r-1", "r-2"]


@pytest.mark.parametrize(("spent", "left"), [("r-1", None), ("r-2", "r-1"), (None, "r-1")])
def test_only_the_handle_that_is_spent_is_cleared(database: Database, spent: str | None, left: str | None) -> None:
    """A worker that came late may have put another one there meanwhile."""
    with database.begin() as connection:
        job = add_job(connection, status=R, attempt=1, request_id="r-1")
        job_settlement.settle(connection, a_claim(job_id=job), a_settlement(Q, spent_handle=spent), now=NOW)
        assert handle_of(connection, job) == left


def test_a_claim_names_what_was_submitted_before(database: Database) -> None:
    """So that it is polled."""
    with database.begin() as connection:
        claim = claims.claim(connection, add_job(connection, status=D, request_id="r-1"), 0, worker_id=DEAD, now=NOW)
    assert claim is not None
    assert claim.request_id == "r-1"


@pytest.mark.parametrize("late_first", [True, False])
def test_one_run_that_two_attempts_delivered_costs_once(database: Database, late_first: bool) -> None:
    """The first attempt has the cost; the job's own sum is the ledger's."""
    with database.begin() as connection:
        late, owner = taken_over(connection, request_id="r-1")
        ended = [(late, a_run(audio=None, status=Q)), (owner, a_run())]
        for claim, settlement in ended if late_first else reversed(ended):
            job_settlement.settle(connection, claim, settlement, now=LATER)
        costs = [attempt.cost for attempt in ledger(connection, late.job_id)]
        row = stored(connection, late.job_id)
    assert costs == ([COST, 0] if late_first else [0, COST])
    assert (row.status, row.cost) == (JobStatus.SUCCEEDED, COST)


@pytest.mark.parametrize("jobs", [12])
def test_two_that_deliver_one_run_at_the_same_moment_charge_it_once(database: Database, jobs: int) -> None:
    """They wait for each other."""
    with database.begin() as connection:
        pairs = [taken_over(connection, request_id="r-1") for _ in range(jobs)]

    def settle(line: threading.Barrier, claim: Claim, settlement: Settlement) -> None:
        line.wait()
        with database.begin() as connection:
            job_settlement.settle(connection, claim, settlement, now=LATER)

    with ThreadPoolExecutor(2 * jobs) as pool:
        for late, owner in pairs:
            line = threading.Barrier(2)
            pool.submit(settle, line, late, a_run(audio=None, status=Q))
            pool.submit(settle, line, owner, a_run())
    with database.read() as connection:
        rows = [stored(connection, owner.job_id) for _, owner in pairs]
        books = [sum(attempt.cost for attempt in ledger(connection, owner.job_id)) for _, owner in pairs]
    assert {row.cost for row in rows} == set(books) == {COST}


def test_two_runs_of_one_job_cost_twice(database: Database) -> None:
    """Two calls were made."""
    with database.begin() as connection:
        late, owner = taken_over(connection)
        job_settlement.settle(connection, late, a_run(audio=None, status=Q), now=LATER)
        job_settlement.settle(connection, owner, a_run(request_id="r-2", spent_handle="r-2"), now=LATER)
        assert stored(connection, late.job_id).cost == 2 * COST


def test_the_attempt_that_brings_another_ones_audio_clears_it_of_doubt(database: Database) -> None:
    """What the lost attempt's call cost stands in the row of the one that found its audio."""
    with database.begin() as connection:
        _, owner = taken_over(connection)
        job_settlement.settle(connection, owner, a_run(request_id=None, spent_handle=None, source=1), now=LATER)
        lost, won = ledger(connection, owner.job_id)
    assert (lost.verdict, lost.cost, lost.possibly_billed) == (VerdictKind.LOST, 0, False)
    assert won.cost == COST


def test_a_doubt_that_was_not_lifted_stays(database: Database) -> None:
    """The next attempt bought a take of its own: whether the lost one was billed is as unknown as before."""
    with database.begin() as connection:
        _, owner = taken_over(connection)
        job_settlement.settle(connection, owner, a_run(request_id="r-2", spent_handle=None), now=LATER)
        assert [attempt.possibly_billed for attempt in ledger(connection, owner.job_id)] == [True, False]


@pytest.mark.parametrize(("handle", "used", "doubt"), [(None, 1, True), ("r-1", 1, False), ("r-1", 5, True)])
def test_a_lost_attempt_is_in_doubt_unless_the_next_one_asks_after_it(
    database: Database, handle: str | None, used: int, doubt: bool
) -> None:
    """A handle settles the doubt, unless the job has failed and is not attempted again."""
    with database.begin() as connection:
        job = add_job(connection, status=R, worker_id=DEAD, attempt=5, attempts_used=used, request_id=handle)
        rescues.rescue(connection, [DEAD], max_attempts=5, now=NOW)
        (lost,) = ledger(connection, job)
    assert (lost.possibly_billed, lost.request_id) == (doubt, handle)


@pytest.mark.parametrize("status", [Q, JobStatus.SCHEDULED, D])
def test_what_was_submitted_does_not_expire(database: Database, status: JobStatus) -> None:
    """It has started, and is paid for: its deadline was for its start."""
    with database.begin() as connection:
        job = add_job(connection, status=status, deadline=NOW, not_before=NOW, request_id="r-1")
        assert dispatches.expire(connection, now=LATER) == 0
        connection.execute(update(Job).values(request_id=None))
        assert dispatches.expire(connection, now=LATER) == 1
        assert stored(connection, job).status == JobStatus.EXPIRED


@pytest.mark.parametrize(("cost", "doubt"), [(Decimal(0), True), (COST, False)])
def test_cancelling_leaves_an_unpaid_run_in_doubt(database: Database, cost: Decimal, doubt: bool) -> None:
    """A run whose cost is recorded is not in doubt; attempts of other jobs are unchanged."""
    with database.begin() as connection:
        job, other = add_job(connection, request_id="r-1"), add_job(connection, request_id="r-1")
        for its in (job, other):
            add_attempt(connection, job_id=its, verdict=VerdictKind.LATE, request_id="r-1", cost=cost)
        assert actions.cancel(connection, actions.these([job]), now=LATER) == 1
        assert [attempt.possibly_billed for attempt in ledger(connection, job)] == [doubt]
        assert [attempt.possibly_billed for attempt in ledger(connection, other)] == [False]


def test_a_retry_keeps_what_was_submitted(database: Database) -> None:
    """Under the same id, with the same handle."""
    with database.begin() as connection:
        job = add_job(connection, status=JobStatus.FAILED, request_id="r-1")
        assert actions.retry(connection, actions.these([job]), states=[JobStatus.FAILED]) == 1
        assert handle_of(connection, job) == "r-1"


def test_what_is_found_of_a_lost_attempt_is_charged_once(database: Database) -> None:
    """Asked a second time it isn't lost any more."""
    with database.begin() as connection:
        late, _ = taken_over(connection)
        (lost,) = billing.lost(connection, [(late.job_id, 1), (late.job_id, 2)])
        first, again = (
            billing.charge_lost(connection, lost, cost=COST, estimated=False, request_id="r-1", now=LATER)
            for _ in range(2)
        )
        assert (first, again, stored(connection, late.job_id).cost) == (COST, None, COST)
        assert billing.lost(connection, [(late.job_id, 1)]) == []
