"""Every change of a job's state: the statements make the transitions of the table, no others, and each only once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import Connection, delete, insert, text, update
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from api_models.status import TERMINAL, TRANSITIONS, WAITING, JobStatus
from api_models.verdict import VerdictKind
from tests.factories import (
    NOW,
    SHA256,
    a_claim,
    a_settlement,
    add_batch,
    add_job,
    add_worker,
    attempt_row,
    job_row,
    ledger,
    stored,
)
from worker.store.database import Database
from worker.store.queries import attempts
from worker.store.queries import jobs as job_queries
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import (
    actions,
    dispatches,
    followers,
    rescues,
)
from worker.store.transitions import (
    claims as job_claims,
)
from worker.store.transitions import (
    settlement as job_settlement,
)
from worker.store.transitions.claims import Claim

SECOND: Final = timedelta(seconds=1)
LATER: Final = NOW + timedelta(minutes=5)
HOLDER: Final = uuid7()
"""The worker of every job that has one."""
LEADER: Final = uuid7()
"""Whom every job follows, where it follows."""
NUMBER: Final = 3
"""The number of claims that every job has seen."""

S, Q, D, R = JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.RUNNING
SUCCEEDED, FAILED, CANCELLED, EXPIRED = (
    JobStatus.SUCCEEDED,
    JobStatus.FAILED,
    JobStatus.CANCELLED,
    JobStatus.EXPIRED,
)
AGAIN: Final = (FAILED, CANCELLED, EXPIRED)


@dataclass(frozen=True, slots=True)
class Statement:
    """One way to change a job's state, and what it is to do to each state it takes."""

    name: str
    run: Callable[[Connection, UUID], int]
    """How many jobs it changed."""
    makes: dict[JobStatus, JobStatus]


def _claim_of(job_id: UUID) -> Claim:
    return a_claim(job_id=job_id, attempt=NUMBER, worker_id=HOLDER)


def _settled(status: JobStatus) -> Statement:
    def run(connection: Connection, job_id: UUID) -> int:
        return job_settlement.settle_at_once(connection, _claim_of(job_id), a_settlement(status), now=LATER)

    return Statement(f"settle as {status}", run, {R: status})


def _rescued(name: str, max_attempts: int, status: JobStatus) -> Statement:
    def run(connection: Connection, _: UUID) -> int:
        before = sum(job_queries.in_flight_by_worker(connection).values())
        rescues.rescue(connection, [HOLDER], max_attempts=max_attempts, now=LATER)
        return before - sum(job_queries.in_flight_by_worker(connection).values())

    return Statement(name, run, {D: Q, R: status})


def _follow(connection: Connection, job_id: UUID) -> int:
    before = stored(connection, job_id).status
    followers.follow(connection, {job_id: LEADER}, now=LATER)
    return int(stored(connection, job_id).status != before)


STATEMENTS: Final = (
    Statement("promote", lambda connection, _: dispatches.promote(connection, now=LATER), {S: Q}),
    Statement(
        "expire", lambda connection, _: dispatches.expire(connection, now=LATER), {S: EXPIRED, Q: EXPIRED, D: EXPIRED}
    ),
    Statement(
        "dispatch",
        lambda connection, job: len(dispatches.dispatch(connection, [job], worker_id=None, now=LATER)),
        {Q: D},
    ),
    Statement("take_back", lambda connection, job: dispatches.take_back(connection, [job]), {D: Q}),
    Statement("take_back_all", lambda connection, _: dispatches.take_back_all(connection, worker_id=HOLDER), {D: Q}),
    Statement(
        "give_up_messages", lambda connection, _: dispatches.give_up_messages(connection, sent_before=LATER), {D: Q}
    ),
    Statement(
        "claim",
        lambda connection, job: job_claims.claim(connection, job, NUMBER, worker_id=HOLDER, now=LATER) is not None,
        {D: R},
    ),
    Statement("follow", _follow, {Q: S}),
    Statement("release", lambda connection, _: followers.release(connection, [LEADER]), {S: Q}),
    *map(_settled, (SUCCEEDED, FAILED, Q, S)),
    _rescued("rescue with attempts left", NUMBER + 1, Q),
    _rescued("rescue with none left", NUMBER, FAILED),
    Statement(
        "cancel",
        lambda connection, job: actions.cancel(connection, actions.these([job]), now=LATER),
        dict.fromkeys(sorted(set(JobStatus) - TERMINAL), CANCELLED),
    ),
    Statement(
        "retry",
        lambda connection, job: actions.retry(connection, actions.these([job]), states=list(JobStatus)),
        dict.fromkeys(AGAIN, Q),
    ),
)
each_statement = pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.name)


def one_in(connection: Connection, status: JobStatus, **columns: Any) -> UUID:  # noqa: ANN401 - any column
    """A job that fits every statement in all but its state."""
    fitting = {
        "status": status,
        "not_before": NOW,
        "deadline": NOW,
        "dispatched_at": NOW,
        "started_at": NOW,
        "worker_id": HOLDER,
        "attempt": NUMBER,
        "attempts_used": NUMBER,
        "follows": LEADER,
    }
    return add_job(connection, **(fitting | columns))


def but_cost(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row
    """Everything of a job but what it cost."""
    return {**vars(row), "cost": None}


def test_the_statements_make_every_transition_and_no_other() -> None:
    """What the statements do, as the next test shows it, is the table of transitions."""
    made = {(before, after) for statement in STATEMENTS for before, after in statement.makes.items()}
    assert made == {(before, after) for before, ways in TRANSITIONS.items() for after in ways}


@each_statement
def test_a_statement_takes_its_states_and_leaves_all_others_alone(database: Database, statement: Statement) -> None:
    """For every state: it wins and changes it as it should, or it says that it lost and the row stays as it was."""
    for status in JobStatus:
        with database.begin() as connection:
            job = one_in(connection, status)
            before = stored(connection, job)
            won = statement.run(connection, job)
            after = stored(connection, job)
            if status in statement.makes:
                assert (won, after.status) == (1, statement.makes[status]), status
            else:
                assert won == 0, status
                assert but_cost(after) == but_cost(before), status
            connection.execute(delete(Job))


@each_statement
def test_a_statement_wins_once(database: Database, statement: Statement) -> None:
    """Given again, as by a duplicate message or a second dispatcher, it finds nothing left to do."""
    for status in statement.makes:
        with database.begin() as connection:
            job = one_in(connection, status)
            statement.run(connection, job)
            settled = stored(connection, job)
            assert statement.run(connection, job) == 0, status
            assert stored(connection, job) == settled, status
            connection.execute(delete(Job))


BAD_CHANGES: Final[dict[str, tuple[JobStatus, dict[str, object]]]] = {
    "an unknown state": (Q, {"status": "paused"}),
    "running without a worker": (D, {"status": R, "worker_id": None}),
    "scheduled without a time": (Q, {"status": S, "not_before": None}),
    "a success without an address": (R, {"status": SUCCEEDED, "finished_at": NOW, "sha256": SHA256, "uri": None}),
    "a success without a checksum": (R, {"status": SUCCEEDED, "finished_at": NOW, "uri": "file:///a", "sha256": None}),
    "a failure without a code": (R, {"status": FAILED, "finished_at": NOW, "code": None}),
    **{f"{status} without an end": (R, {"status": status, "code": "c"}) for status in sorted(TERMINAL)},
    **{f"{status} with an end": (FAILED, {"status": status, "not_before": NOW}) for status in sorted(WAITING)},
}


@pytest.mark.parametrize("change", BAD_CHANGES.values(), ids=BAD_CHANGES.keys())
def test_the_database_refuses_rows_that_no_statement_makes(
    database: Database, change: tuple[JobStatus, dict[str, object]]
) -> None:
    """The constraints also hold for writers that bypass the statements."""
    status, values = change
    sound = {"uri": "file:///a", "sha256": SHA256, "worker_id": HOLDER}
    with database.begin() as connection:
        job = add_job(connection, status=status, **sound)
    with pytest.raises(IntegrityError), database.begin() as connection:
        connection.execute(update(Job).where(Job.id == job).values(values))


def test_a_custom_id_is_unique_in_its_batch(database: Database) -> None:
    """Two lines of one batch never write to one object; jobs without a batch or a name may be many."""
    with database.begin() as connection:
        for _ in range(2):
            add_job(connection, custom_id="intro")
            add_job(connection, custom_id=None)


@pytest.mark.parametrize("rivals", [20])
def test_of_many_claims_one_wins(database: Database, rivals: int) -> None:
    """A message delivered twenty times at once starts one attempt."""
    with database.begin() as connection:
        job = add_job(connection, status=D)
    line = threading.Barrier(rivals)

    def claim(_: int) -> Claim | None:
        line.wait()
        with database.begin() as connection:
            return job_claims.claim(connection, job, 0, worker_id=uuid7(), now=NOW)

    with ThreadPoolExecutor(rivals) as executor:
        won = [claimed for claimed in executor.map(claim, range(rivals)) if claimed]
    assert len(won) == 1
    with database.read() as connection:
        row = stored(connection, job)
    assert (row.worker_id, row.attempt, row.attempts_used) == (won[0].worker_id, 1, 1)


@pytest.mark.parametrize("rivals", [8])
def test_of_many_dispatchers_one_gets_each_job(database: Database, rivals: int) -> None:
    """Two leaders at once, as after a lapsed lease, publish no job twice."""
    with database.begin() as connection:
        jobs = [add_job(connection) for _ in range(30)]
    line = threading.Barrier(rivals)

    def dispatch(_: int) -> Sequence[dispatches.Waiting]:
        line.wait()
        with database.begin() as connection:
            return dispatches.dispatch(connection, jobs, worker_id=None, now=NOW)

    with ThreadPoolExecutor(rivals) as executor:
        chosen = [job.job_id for found in executor.map(dispatch, range(rivals)) for job in found]
    assert sorted(chosen) == sorted(jobs)


def claimed(connection: Connection, job: UUID, worker: UUID | None = None) -> Claim:
    """The job in the hands of a worker, however many claims it had seen."""
    seen = stored(connection, job).attempt
    dispatches.dispatch(connection, [job], worker_id=None, now=NOW)
    found = job_claims.claim(connection, job, seen, worker_id=worker or HOLDER, now=NOW)
    assert found is not None
    return found


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


def test_promotion_and_expiry_wait_for_their_time(database: Database) -> None:
    """A moment early nothing happens."""
    with database.begin() as connection:
        for status in (S, Q, D):
            add_job(connection, status=status, not_before=LATER, deadline=LATER)
        early = LATER - timedelta(microseconds=1)
        assert dispatches.promote(connection, now=early) == 0
        assert dispatches.expire(connection, now=early) == 0
        assert dispatches.expire(connection, now=LATER) == 3


def test_bulk_changes_go_in_pieces(database: Database) -> None:
    """However many are due, one statement changes a bounded number."""
    with database.begin() as connection:
        actions.submit(connection, (job_row(status=S) for _ in range(dispatches.ROWS_PER_STATEMENT + 5)))
        assert dispatches.promote(connection, now=LATER) == dispatches.ROWS_PER_STATEMENT
        assert dispatches.promote(connection, now=LATER) == 5


def test_lanes_are_found_the_most_urgent_first(database: Database) -> None:
    """With more lanes than are looked at, those left out are the least urgent."""
    with database.begin() as connection:
        for priority in range(-3, 4):
            for tenant in ("ann", "bob"):
                add_job(connection, priority=priority, tenant=tenant)
                add_job(connection, priority=priority, tenant=tenant)
        add_job(connection, status=S, priority=9)
        found = dispatches.lanes(connection, most=5)
        assert len(dispatches.lanes(connection, most=100)) == 14
    assert [lane.priority for lane in found] == [3, 3, 2, 2, 1]


@pytest.mark.parametrize("joins", [*combinations(("nestloop", "hashjoin", "mergejoin"), 2)])
def test_lanes_are_found_in_order_however_postgresql_plans(on_postgresql: Database, joins: tuple[str, ...]) -> None:
    """With statistics of any kind; the most urgent go out first, and are those that are looked at."""
    with on_postgresql.begin() as connection:
        for priority in range(5):
            for paused_at in (None, NOW, None):
                add_job(connection, priority=priority, batch_id=add_batch(connection, paused_at=paused_at))
        for join in joins:
            connection.execute(text(f"SET LOCAL enable_{join} = off"))
        found = dispatches.lanes(connection, most=50)
        assert [lane.priority for lane in found] == [4, 4, 3, 3, 2, 2, 1, 1, 0, 0]
        assert dispatches.lanes(connection, most=3) == found[:3]
        assert dispatches.lanes(connection, most=3, after=found[2]) == found[3:6]


def test_heads_of_a_lane_are_in_submission_order(database: Database) -> None:
    """And only those of that lane that are queued."""
    with database.begin() as connection:
        jobs = [add_job(connection) for _ in range(5)]
        add_job(connection, tenant="other")
        add_job(connection, status=D)
        (lane, _) = sorted(dispatches.lanes(connection, most=9))
        assert [head.job_id for head in dispatches.heads(connection, lane, most=3)] == jobs[:3]
        assert [head.job_id for head in dispatches.heads(connection, lane, most=9)] == jobs
        assert [head.job_id for head in dispatches.heads(connection, lane, most=2, behind=jobs[2])] == jobs[3:]


def test_the_heads_of_several_lanes_are_those_of_each(database: Database) -> None:
    """Of each no more than asked for, in its order; nothing of a lane that was not asked for."""
    with database.begin() as connection:
        for number in range(6):
            for priority, tenant in ((0, "ann"), (3, "ann"), (0, "bob"), (-2, "cy")):
                add_job(connection, priority=priority, tenant=tenant, use_cache=number % 2 == 0)
        add_job(connection, status=D, tenant="ann")
        _, *asked = dispatches.lanes(connection, most=9)
        found = dispatches.heads_of_each(connection, asked, most=4)
        assert found == {lane: dispatches.heads(connection, lane, most=4) for lane in asked}
        contents = [job.content for jobs in found.values() for job in jobs]
        assert len(contents) == 3 * 4
        assert contents.count(None) == 3 * 2


@pytest.mark.parametrize("use_cache", [True, False])
def test_the_twin_of_a_text_is_the_job_that_bought_it(database: Database, use_cache: bool) -> None:
    """Among many successes only the same content counts, and none for a job that asks for a fresh take."""
    with database.begin() as connection:
        for word in ("one", "two", "three"):
            add_job(connection, status=SUCCEEDED, text=f"Number {word}.")
        bought = add_job(connection, status=SUCCEEDED, text="The same words.")
        add_job(connection, status=FAILED, text="The same words.")
        claim = claimed(connection, add_job(connection, text="The same words.", use_cache=use_cache))
    assert claim.twin == (bought if use_cache else None)


def test_different_texts_are_no_twins(database: Database) -> None:
    """A text that was never bought has no twin, nor one whose twins only failed."""
    with database.begin() as connection:
        add_job(connection, status=SUCCEEDED, text="Something else.")
        for status in (FAILED, CANCELLED, Q, D, R):
            add_job(connection, status=status, text="New words.", worker_id=HOLDER)
        assert claimed(connection, add_job(connection, text="New words.")).twin is None
        assert claimed(connection, add_job(connection, text="New words.", voice_1="Puck")).twin is None


def test_bought_audio_is_that_of_a_success(database: Database) -> None:
    """A job that was retried or failed meanwhile has none to copy."""
    with database.begin() as connection:
        one = add_job(connection, status=SUCCEEDED, cost=Decimal("0.0067"))
        others = [add_job(connection, status=SUCCEEDED), add_job(connection, status=FAILED)]
        [found] = job_claims.bought(connection, [one, *others], stored(connection, one).fingerprint)
    sound = "file:///audio/1.wav", "audio/wav", 48_044, SHA256, 1_000, Decimal("0.0067")
    assert found == job_claims.Bought("default", None, *sound)


def test_news_are_read_once_oldest_first(database: Database) -> None:
    """Each ended attempt reaches one dispatcher, in the order of the ends."""
    with database.begin() as connection:
        claims = [claimed(connection, add_job(connection)) for _ in range(3)]
        for claim, seconds in zip(claims, (30, 10, 20), strict=True):
            job_settlement.settle(connection, claim, a_settlement(Q), now=NOW + timedelta(seconds=seconds))
        news = attempts.take_news(connection)
        assert attempts.take_news(connection) == []
    assert [(ended.finished_at - NOW).seconds for ended in news] == [10, 20, 30]
    assert {ended.verdict for ended in news} == {VerdictKind.GATE}


def test_the_news_of_one_job_wait_their_turn_like_others(database: Database) -> None:
    """Of a job that ended often, a look takes as many attempts as of anybody, the oldest first, and each once."""
    rows = attempts.ROWS_PER_POLL + 1
    with database.begin() as connection:
        news = [attempt_row(job_id=HOLDER, number=number, finished_at=NOW + number * SECOND) for number in range(rows)]
        connection.execute(insert(Attempt), news)
        looks = [attempts.take_news(connection) for _ in range(3)]
    assert [len(look) for look in looks] == [attempts.ROWS_PER_POLL, 1, 0]
    assert [ended.finished_at for look in looks for ended in look] == [row["finished_at"] for row in news]


def test_many_news_are_read_in_pieces(database: Database) -> None:
    """A backlog of ended attempts is read over several looks, none left out."""
    with database.begin() as connection:
        worker = add_worker(connection)
        rows = [job_row(status=R, worker_id=worker) for _ in range(attempts.ROWS_PER_POLL + 10)]
        actions.submit(connection, rows)
        rescues.rescue(connection, [worker], max_attempts=5, now=LATER)
        assert [len(attempts.take_news(connection)) for _ in range(3)] == [attempts.ROWS_PER_POLL, 10, 0]
