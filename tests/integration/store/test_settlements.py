"""Claims, settlements, retries and rescues in the store: what each records and charges."""

from __future__ import annotations

from decimal import Decimal

import pytest
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.factories import (
    NOW,
    SHA256,
    a_settlement,
    add_job,
    ledger,
    stored,
)
from tests.integration.store.claimed_jobs import (
    AGAIN,
    CANCELLED,
    FAILED,
    HOLDER,
    LATER,
    SUCCEEDED,
    D,
    Q,
    but_cost,
    claimed,
)
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.transitions import (
    actions,
    dispatches,
    rescues,
)
from worker.store.transitions import (
    claims as job_claims,
)
from worker.store.transitions import (
    settlement as job_settlement,
)


def test_a_claim_hands_out_all_that_an_attempt_needs(database: Database) -> None:
    """The submitted text, the counts including this claim, and the worker's name."""
    fields = {"text": "Hello there.", "voice_1": "Puck", "voice_2": "Kore", "temperature": 0.7}
    with database.begin() as connection:
        job = add_job(connection, status=D, attempt=6, attempts_used=2, takes_used=1, recover=True, line=9, **fields)
        claim = job_claims.claim(connection, job, 6, worker_id=HOLDER, now=LATER)
    assert claim is not None
    assert claim.speech.body() == fields
    assert (claim.attempt, claim.attempts_used, claim.takes_used, claim.recover) == (7, 3, 1, True)
    assert (claim.job_id, claim.worker_id, claim.started_at, claim.line) == (job, HOLDER, LATER, 9)


def test_a_message_of_an_earlier_turn_claims_nothing(database: Database) -> None:
    """After a claim was rescued, the old message's number doesn't fit the new turn."""
    with database.begin() as connection:
        job = add_job(connection)
        claimed(connection, job)
        rescues.rescue(connection, [HOLDER], max_attempts=5, now=NOW)
        dispatches.dispatch(connection, [job], worker_id=None, now=NOW)
        assert job_claims.claim(connection, job, 0, worker_id=uuid7(), now=NOW) is None
        assert job_claims.claim(connection, job, 1, worker_id=uuid7(), now=NOW) is not None


def test_a_success_is_recorded_whole(database: Database) -> None:
    """The job's row names the object and its cost, the ledger the attempt; the worker lets go of it."""
    with database.begin() as connection:
        claim = claimed(connection, add_job(connection))
        settlement = a_settlement(request_id="req-1", remaining_credits=Decimal("9.99"))
        assert job_settlement.settle(connection, claim, settlement, now=LATER)
        row, (attempt,) = stored(connection, claim.job_id), ledger(connection, claim.job_id)
    assert (row.status, row.finished_at, row.worker_id, row.cached) == (SUCCEEDED, LATER, None, False)
    assert (row.uri, row.sha256, row.duration_ms, row.cost) == ("file:///audio/1.wav", SHA256, 1_000, Decimal("0.0067"))
    assert (attempt.verdict, attempt.number, attempt.worker_id) == (VerdictKind.SUCCESS, 1, HOLDER)
    assert (attempt.cost, attempt.remaining_credits, attempt.request_id) == (
        Decimal("0.0067"),
        Decimal("9.99"),
        "req-1",
    )
    assert (attempt.started_at, attempt.finished_at, attempt.noted) == (NOW, LATER, False)


def test_an_account_error_uses_up_no_attempt(database: Database) -> None:
    """A claim counts at once, so that a text that kills its worker is bounded; a gate restores the count."""
    with database.begin() as connection:
        job = add_job(connection)
        for _ in range(3):
            claim = claimed(connection, job)
            assert stored(connection, job).attempts_used == 1
            job_settlement.settle(connection, claim, a_settlement(Q), now=LATER)
        row = stored(connection, job)
    assert (row.status, row.attempts_used, row.attempt) == (Q, 0, 3)


def test_costs_of_all_attempts_add_up(database: Database) -> None:
    """Two bad takes and a good one: all three were paid for."""
    with database.begin() as connection:
        job = add_job(connection)
        for status, bad in ((Q, True), (Q, True), (SUCCEEDED, False)):
            claim = claimed(connection, job)
            job_settlement.settle(
                connection, claim, a_settlement(status, cost=Decimal("0.0067"), bad_take=bad), now=LATER
            )
        row = stored(connection, job)
        assert [attempt.number for attempt in ledger(connection, job)] == [1, 2, 3]
    assert (row.cost, row.takes_used) == (Decimal("0.0201"), 2)


def test_a_late_worker_changes_nothing_but_the_books(database: Database) -> None:
    """Rescued and given to another, the job keeps what the other made of it; the late call is charged all the same."""
    other = uuid7()
    with database.begin() as connection:
        job = add_job(connection)
        late = claimed(connection, job)
        rescues.rescue(connection, [HOLDER], max_attempts=5, now=NOW)
        winner = claimed(connection, job, other)
        assert job_settlement.settle(connection, winner, a_settlement(), now=LATER)
        before = stored(connection, job)
        taken = a_settlement(audio=None, status=Q, cost=Decimal("0.005"), possibly_billed=False)
        assert not job_settlement.settle(connection, late, taken, now=LATER)
        after = stored(connection, job)
        first, second = ledger(connection, job)
    assert but_cost(after) == but_cost(before)
    assert after.cost == Decimal("0.0117")
    assert (first.verdict, first.cost, first.possibly_billed) == (VerdictKind.LATE, Decimal("0.005"), False)
    assert (second.verdict, second.cost, second.worker_id) == (VerdictKind.SUCCESS, Decimal("0.0067"), other)


def test_a_late_worker_may_come_while_the_job_still_waits(database: Database) -> None:
    """Its number fits no more: the job stays queued for recovery, and its loss is replaced by what is known now."""
    with database.begin() as connection:
        late = claimed(connection, add_job(connection))
        rescues.rescue(connection, [HOLDER], max_attempts=5, now=NOW)
        (lost,) = ledger(connection, late.job_id)
        assert (lost.verdict, lost.cost, lost.possibly_billed) == (VerdictKind.LOST, 0, True)
        assert not job_settlement.settle(connection, late, a_settlement(), now=LATER)
        row, (known,) = stored(connection, late.job_id), ledger(connection, late.job_id)
    assert (row.status, row.recover, row.cost, row.uri) == (Q, True, Decimal("0.0067"), None)
    assert (known.verdict, known.possibly_billed) == (VerdictKind.LATE, False)


@pytest.mark.parametrize("late", [False, True])
def test_a_record_written_again_charges_nothing_twice(database: Database, late: bool) -> None:
    """The answer to a commit may be lost with the connection: the second try finds its own work and says the same."""
    with database.begin() as connection:
        claim = claimed(connection, add_job(connection))
        if late:
            rescues.rescue(connection, [HOLDER], max_attempts=5, now=NOW)
        won = job_settlement.settle(connection, claim, a_settlement(), now=LATER)
        row, books = stored(connection, claim.job_id), ledger(connection, claim.job_id)
        assert job_settlement.settle(connection, claim, a_settlement(), now=LATER) is won is not late
        assert stored(connection, claim.job_id) == row
        assert ledger(connection, claim.job_id) == books


def test_a_job_cancelled_under_way_is_still_paid_for(database: Database) -> None:
    """It stays cancelled; the call's cost goes into the ledger and the job."""
    with database.begin() as connection:
        claim = claimed(connection, add_job(connection))
        assert actions.cancel(connection, actions.these([claim.job_id]), now=LATER) == 1
        assert not job_claims.is_owned(connection, claim)
        assert not job_settlement.settle(connection, claim, a_settlement(), now=LATER)
        row, (attempt,) = stored(connection, claim.job_id), ledger(connection, claim.job_id)
    assert (row.status, row.code, row.uri, row.cost) == (CANCELLED, "cancelled", None, Decimal("0.0067"))
    assert (attempt.verdict, attempt.cost) == (VerdictKind.LATE, Decimal("0.0067"))


def test_a_retried_job_begins_afresh_and_keeps_its_history(database: Database) -> None:
    """New attempts and takes under the same id, marked for recovery; cost and ledger stay."""
    with database.begin() as connection:
        job = add_job(connection, takes_used=2, attempts_used=4)
        claim = claimed(connection, job)
        job_settlement.settle(connection, claim, a_settlement(FAILED, cost=Decimal("0.0067")), now=LATER)
        assert actions.retry(connection, actions.these([job]), states=AGAIN) == 1
        row = stored(connection, job)
        assert claimed(connection, job).attempt == 2
        assert len(ledger(connection, job)) == 1
    assert (row.status, row.attempts_used, row.takes_used, row.recover) == (Q, 0, 0, True)
    assert (row.code, row.message, row.finished_at, row.cost) == (None, None, None, Decimal("0.0067"))


def test_a_retry_touches_only_the_states_it_was_asked_for(database: Database) -> None:
    """And never a success, even if asked."""
    with database.begin() as connection:
        for status in JobStatus:
            add_job(connection, status=status, worker_id=HOLDER)
        assert actions.retry(connection, job_queries.all_jobs(), states=(SUCCEEDED,)) == 0
        assert actions.retry(connection, job_queries.all_jobs(), states=()) == 0
        assert actions.retry(connection, job_queries.all_jobs(), states=(FAILED,)) == 1


def test_a_rescue_takes_the_jobs_of_the_dead_alone(database: Database) -> None:
    """Others' jobs run on; what was only dispatched goes back as well, and an attempt is a lost one each."""
    alive = uuid7()
    with database.begin() as connection:
        lost = [claimed(connection, add_job(connection)).job_id for _ in range(2)]
        going_on = claimed(connection, add_job(connection), alive)
        sent = add_job(connection, status=D, worker_id=HOLDER)
        assert rescues.rescue(connection, [HOLDER, uuid7()], max_attempts=5, now=LATER) == rescues.Rescued(2, 0)
        assert job_claims.is_owned(connection, going_on)
        assert [(stored(connection, job).status, stored(connection, job).recover) for job in lost] == [(Q, True)] * 2
        assert (stored(connection, sent).status, stored(connection, sent).recover) == (Q, False)
        assert [attempt.code for job in lost for attempt in ledger(connection, job)] == ["worker_lost"] * 2
        assert rescues.rescue(connection, [], max_attempts=5, now=LATER) == rescues.Rescued(0, 0)


def test_a_text_that_kills_its_workers_ends(database: Database) -> None:
    """With its last permitted attempt lost, a job fails instead of being rescued again."""
    with database.begin() as connection:
        job = add_job(connection)
        for _ in range(3):
            claimed(connection, job)
            rescues.rescue(connection, [HOLDER], max_attempts=3, now=LATER)
        row = stored(connection, job)
        assert [attempt.verdict for attempt in ledger(connection, job)] == [VerdictKind.LOST] * 3
    assert (row.status, row.code, row.finished_at, row.worker_id) == (FAILED, "worker_lost", LATER, None)
