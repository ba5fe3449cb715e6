"""The dispatcher and the account's money: budgets, gates, the balance, and how each is reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from queue import SimpleQueue
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import update

from api_models.registry import MODELS
from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.dispatcher_harness import SECOND, Stage, await_checks
from tests.factories import MODEL, OTHER_MODEL, a_settlement, add_job
from worker.dispatch.budget import FIRST_CALLS
from worker.dispatch.gates import circuit_breaker
from worker.store import account
from worker.store.database import Database
from worker.store.money import balances, budgets
from worker.store.tables.account import GateRow
from worker.store.tables.jobs import Job
from worker.store.transitions import claims, settlement
from worker.store.transitions.dispatches import Waiting

PRICE: Final = MODELS[MODEL].price


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage on each database, with a worker of a hundred slots whose heart beats for as long as any test takes."""
    stage = Stage(database)
    stage.worker(slots=100, heartbeat_at=stage.now() + 3_600 * SECOND)
    return stage


def known(stage: Stage) -> None:
    """Record an earlier call of the model at its price."""
    job, long_ago = stage.job(status=JobStatus.SUCCEEDED, text="x" * 500), stage.now() - 3_600 * SECOND
    stage.ended(VerdictKind.SUCCESS, job_id=job, tenant="other", started_at=long_ago)


def end(stage: Stage, jobs: list[UUID], batch: UUID | None, **columns: Any) -> None:  # noqa: ANN401 - any column
    """Jobs in flight succeed, each at the model's price unless said otherwise."""
    now = stage.now()
    over = {"status": JobStatus.SUCCEEDED, "uri": "file:///a.wav", "sha256": "0", "finished_at": now}
    with stage.database.begin() as connection:
        connection.execute(update(Job).where(Job.id.in_(jobs)).values(over))
    for job in jobs:
        stage.ended(VerdictKind.SUCCESS, job_id=job, batch_id=batch, **columns)


def test_a_budget_holds_the_rest_and_fails_nothing(stage: Stage) -> None:
    """Ten cents cover fourteen calls; raised, the next ones run; lifted, all."""
    known(stage)
    batch = stage.batch(max_cost=Decimal("0.10"))
    jobs = stage.jobs(30, batch_id=batch)
    leader = stage.dispatcher()
    leader.run_once()
    first = stage.post.collect()
    assert first == jobs[:14]
    leader.run_once()
    assert stage.post.collect() == []
    end(stage, first, batch)
    leader.run_once()
    assert stage.post.collect() == []
    assert stage.status(*jobs[14:]) == [JobStatus.QUEUED] * 16
    with stage.database.begin() as connection:
        budgets.limit_batch(connection, batch, Decimal("0.12"))
    leader.run_once()
    assert stage.post.collect() == jobs[14:17]
    with stage.database.begin() as connection:
        budgets.limit_batch(connection, batch, None)
    leader.run_once()
    assert stage.post.collect() == jobs[17:]


def test_a_budget_is_never_overdrawn_while_workers_run(stage: Stage) -> None:
    """Calls end between any two of the dispatcher's statements; what they cost is counted all the same, and once."""
    known(stage)
    limit, workers = 40 * PRICE, 6
    batch = stage.batch(max_cost=limit)
    jobs = stage.jobs(70, batch_id=batch)
    worker = stage.worker(slots=50)
    turns: SimpleQueue[Waiting | None] = SimpleQueue()

    def publish(sent: Sequence[Waiting]) -> Sequence[Waiting]:
        for turn in sent:
            turns.put(turn)
        return []

    def work() -> None:
        while (turn := turns.get()) is not None:
            with stage.database.begin() as connection:
                now = stage.database.now(connection)
                claim = claims.claim(connection, turn.job_id, turn.attempt, worker_id=worker, now=now)
            assert claim is not None
            with stage.database.begin() as connection:
                settlement.settle(connection, claim, a_settlement(cost=PRICE), now=stage.database.now(connection))

    leader = stage.dispatcher()
    leader.publish = publish
    with ThreadPoolExecutor(workers) as executor:
        working = [executor.submit(work) for _ in range(workers)]
        while stage.spent(batch) < limit:
            leader.run_once()
        leader.run_once()
        for _ in range(workers):
            turns.put(None)
        for each in working:
            each.result()
    assert stage.spent(batch) == limit
    assert Counter(stage.status(*jobs)) == {JobStatus.SUCCEEDED: 40, JobStatus.QUEUED: 30}


def test_calls_that_cost_less_than_feared_make_room(stage: Stage) -> None:
    """What a call in flight may cost is set against it until it has told what it did."""
    known(stage)
    batch = stage.batch(max_cost=4 * PRICE)
    jobs = stage.jobs(10, batch_id=batch)
    leader = stage.dispatcher()
    leader.run_once()
    first = stage.post.collect()
    assert first == jobs[:4]
    end(stage, first, batch, cost=PRICE / 2)
    leader.run_once()
    assert stage.post.collect() == jobs[4:6]


def test_a_dearer_call_is_heeded_at_once(stage: Stage) -> None:
    """After one that cost twice the price, calls are set against the budget at twice the price."""
    known(stage)
    batch = stage.batch(max_cost=10 * PRICE)
    jobs = stage.jobs(10, batch_id=batch)
    leader = stage.dispatcher()
    with stage.database.begin() as connection:
        budgets.limit_batch(connection, batch, PRICE)
    leader.run_once()
    assert stage.post.collect() == jobs[:1]
    end(stage, jobs[:1], batch, cost=2 * PRICE)
    with stage.database.begin() as connection:
        budgets.limit_batch(connection, batch, 7 * PRICE)
    leader.run_once()
    assert stage.post.collect() == jobs[1:3]


def test_a_months_budget_holds_all_of_a_tenants_work(stage: Stage) -> None:
    """Its batches and single jobs together, and no other tenant's."""
    known(stage)
    with stage.database.begin() as connection:
        budgets.limit_month(connection, "ann", 3 * PRICE)
    stage.jobs(5, tenant="ann", batch_id=stage.batch(tenant="ann"))
    stage.jobs(5, tenant="ann")
    others = stage.jobs(5)
    leader = stage.dispatcher()
    leader.run_once()
    sent = stage.post.collect()
    assert len(sent) == 3 + len(others)
    assert set(others) < set(sent)


def test_last_months_spending_holds_no_job(stage: Stage) -> None:
    """The budget is that of each month anew."""
    known(stage)
    last_month = stage.now() - 40 * 24 * 3_600 * SECOND
    stage.ended(VerdictKind.SUCCESS, model="gemini-2.5-flash-tts", cost=Decimal(100), finished_at=last_month)
    stage.dispatcher().run_once()
    with stage.database.begin() as connection:
        budgets.limit_month(connection, "default", PRICE)
    jobs = stage.jobs(2)
    stage.lapse()
    stage.dispatcher().run_once()
    assert stage.post.collect() == jobs[:1]


def test_a_new_model_is_tried_with_few_calls_first(stage: Stage) -> None:
    """Only where a budget is set; without one no job is held."""
    batch = stage.batch(max_cost=Decimal(100))
    jobs = stage.jobs(20, batch_id=batch)
    free = stage.jobs(20)
    leader = stage.dispatcher()
    leader.run_once()
    assert stage.post.collect() == jobs[:FIRST_CALLS] + free
    end(stage, jobs[:1], batch)
    leader.run_once()
    assert stage.post.collect() == jobs[FIRST_CALLS:]


def test_a_request_that_was_submitted_is_never_held(stage: Stage) -> None:
    """It is paid for: the budget that it has used up doesn't keep it from its audio."""
    known(stage)
    batch = stage.batch(max_cost=PRICE, spent=PRICE)
    submitted = stage.job(batch_id=batch, request_id="req-1", attempt=1)
    stage.jobs(2, batch_id=batch)
    stage.dispatcher().run_once()
    assert stage.post.collect() == [submitted]


def test_a_probe_keeps_to_its_budget(stage: Stage) -> None:
    """A job that a budget holds is not sent through a closed gate either, and the probe stays due."""
    known(stage)
    batch = stage.batch(max_cost=PRICE, spent=PRICE)
    stage.job(batch_id=batch)
    stage.close(model=MODEL, code="forbidden", next_probe_at=stage.now())
    leader = stage.dispatcher()
    leader.run_once()
    assert stage.post.collect() == []
    assert stage.gates()[f"model:{MODEL}"].probes == 0
    with stage.database.begin() as connection:
        budgets.limit_batch(connection, batch, 2 * PRICE)
    leader.run_once()
    assert len(stage.post.collect()) == 1


def fail_upstream(stage: Stage, count: int, **columns: Any) -> None:  # noqa: ANN401 - any column
    """Calls that end in a server error."""
    for _ in range(count):
        stage.ended(VerdictKind.RETRY, code="server_error", message="Internal error", **columns)


def probe_is_due(stage: Stage) -> None:
    """Let the time until the next probe pass."""
    with stage.database.begin() as connection:
        connection.execute(update(GateRow).values(next_probe_at=stage.database.now(connection) - SECOND))


def test_a_broken_upstream_is_tried_with_one_job_at_a_time(stage: Stage) -> None:
    """Others than its own model go on; its probe comes soon, and the next one not before it has ended."""
    jobs = stage.jobs(10)
    leader = stage.dispatcher()
    fail_upstream(stage, 25)
    began = stage.now()
    leader.run_once()
    assert stage.post.collect() == []
    gate = stage.gates()[f"model:{MODEL}"]
    assert gate.code == circuit_breaker.CODE
    assert gate.next_probe_at <= began + 15 * SECOND
    other = stage.job(model=OTHER_MODEL)
    leader.run_once()
    assert stage.post.collect() == [other]
    probe_is_due(stage)
    leader.run_once()
    (probe,) = stage.post.collect()
    probe_is_due(stage)
    leader.run_once()
    assert stage.post.collect() == []
    end(stage, [probe], None, started_at=stage.now() + SECOND)
    leader.run_once()
    assert stage.gates() == {}
    assert stage.post.collect() == [job for job in jobs if job != probe]
    assert [event.type for event in stage.events()] == ["account.held", "account.released"]


def test_probes_of_a_broken_upstream_take_turns_among_the_jobs(stage: Stage) -> None:
    """The least tried one goes, so that no single job uses up its attempts."""
    tried, fresh = stage.job(attempt=3), stage.job(attempt=1)
    stage.close(model=MODEL, code=circuit_breaker.CODE, next_probe_at=stage.now())
    stage.dispatcher().run_once()
    assert stage.post.collect() == [fresh]
    assert stage.status(tried) == [JobStatus.QUEUED]


def test_failures_now_and_then_break_nothing(stage: Stage) -> None:
    """One call in two fails, for a long time."""
    leader = stage.dispatcher()
    for _ in range(10):
        fail_upstream(stage, 6)
        for _ in range(6):
            stage.ended(VerdictKind.SUCCESS)
        leader.run_once()
    assert stage.gates() == {}


def test_a_gate_that_a_verdict_closed_stays_what_it_is(stage: Stage) -> None:
    """Upstream failures neither rename nor reopen it."""
    stage.close(model=MODEL, code="forbidden")
    fail_upstream(stage, 30)
    stage.dispatcher().run_once()
    assert stage.gates()[f"model:{MODEL}"].code == "forbidden"


def test_calls_from_before_do_not_break_it_again(stage: Stage) -> None:
    """Timeouts of calls that were under way when the upstream came back say nothing of how it is now."""
    leader = stage.dispatcher()
    gate = stage.close(model=MODEL, code=circuit_breaker.CODE)
    leader.run_once()
    stage.ended(VerdictKind.SUCCESS, started_at=gate.since + SECOND)
    leader.run_once()
    assert stage.gates() == {}
    fail_upstream(stage, 30, started_at=gate.since - SECOND)
    leader.run_once()
    assert stage.gates() == {}


def test_refusals_from_before_do_not_close_a_gate_again(stage: Stage) -> None:
    """A 406 to a call that began before the account was topped up says nothing of how it is since."""
    stage.jobs(3)
    leader = stage.dispatcher()
    gate = stage.close()
    leader.run_once()
    with stage.database.begin() as connection:
        account.open_gate(connection, "account")
    leader.run_once()
    assert len(stage.post.collect()) == 3
    refusal = {"scope": GateScope.ACCOUNT, "code": "insufficient_credits", "message": "out of credit"}
    stage.ended(VerdictKind.GATE, started_at=gate.since, **refusal)
    leader.run_once()
    assert stage.gates() == {}
    stage.ended(VerdictKind.GATE, started_at=stage.now() + SECOND, **refusal)
    leader.run_once()
    assert list(stage.gates()) == ["account"]


def test_a_call_that_was_let_through_before_the_refusal_opens_nothing(stage: Stage) -> None:
    """Though it began after the tick that closed the gate: the refusal was recorded later still."""
    leader = stage.dispatcher()
    refused_at = stage.now() + 10 * SECOND
    refusal = {"scope": GateScope.ACCOUNT, "code": "insufficient_credits", "message": "out of credit"}
    stage.ended(VerdictKind.GATE, finished_at=refused_at, **refusal)
    leader.run_once()
    stage.ended(VerdictKind.SUCCESS, started_at=refused_at - SECOND, finished_at=refused_at + SECOND)
    leader.run_once()
    assert list(stage.gates()) == ["account"]
    stage.ended(VerdictKind.SUCCESS, started_at=refused_at + SECOND, finished_at=refused_at + 2 * SECOND)
    leader.run_once()
    assert stage.gates() == {}


def test_a_refusal_is_heeded_before_anybody_starts(stage: Stage) -> None:
    """In the very tick that reads it."""
    jobs = stage.jobs(3)
    stage.ended(VerdictKind.GATE, scope=GateScope.ACCOUNT, code="insufficient_credits", message="out of credit")
    stage.dispatcher().run_once()
    assert stage.post.collect() == []
    assert stage.status(*jobs) == [JobStatus.QUEUED] * 3


def test_a_closing_gate_calls_back_unclaimed_jobs(stage: Stage) -> None:
    """Messages still under way are not answered with refusals one by one; calls that began are left alone."""
    worker = stage.worker()
    sent = stage.jobs(2, status=JobStatus.DISPATCHED, dispatched_at=stage.now())
    other = stage.job(status=JobStatus.DISPATCHED, dispatched_at=stage.now(), model=OTHER_MODEL)
    running = stage.job(status=JobStatus.RUNNING, worker_id=worker)
    stage.ended(VerdictKind.GATE, scope=GateScope.MODEL, code="model_retired", message="gone")
    leader = stage.dispatcher()
    leader.run_once()
    assert stage.status(*sent, other, running) == [
        JobStatus.QUEUED,
        JobStatus.QUEUED,
        JobStatus.DISPATCHED,
        JobStatus.RUNNING,
    ]
    stage.close(scope=GateScope.STORAGE, code="no_space")
    leader.run_once()
    assert stage.status(other) == [JobStatus.QUEUED]


def test_thousands_of_refusals_are_one_event(stage: Stage) -> None:
    """With the words of the first; its opening is the second."""
    leader = stage.dispatcher()
    for number in range(40):
        stage.ended(
            VerdictKind.GATE, scope=GateScope.ACCOUNT, code="insufficient_credits", message=f"out of credit {number}"
        )
        if number % 10 == 0:
            leader.run_once()
    leader.run_once()
    (held,) = stage.events()
    assert (held.type, held.subject, held.data["code"]) == ("account.held", "account", "insufficient_credits")
    stage.ended(VerdictKind.SUCCESS, started_at=stage.now() + SECOND)
    leader.run_once()
    assert [event.type for event in stage.events()] == ["account.held", "account.released"]


def test_a_low_balance_is_reported_once_until_it_has_recovered(stage: Stage) -> None:
    """By what answers say is left; a few cents more are no recovery."""
    leader = stage.dispatcher(low_balance=Decimal(1))

    def told(remaining: str) -> int:
        stage.ended(VerdictKind.SUCCESS, remaining_credits=Decimal(remaining))
        stage.lapse()
        stage.dispatcher(me=leader.me, low_balance=Decimal(1)).run_once()
        return len(stage.events("account.low_balance"))

    assert [told(left) for left in ("1.5", "1", "0.99", "0.5", "1.05", "0.9")] == [0, 0, 1, 1, 1, 1]
    assert [told(left) for left in ("20", "0.8")] == [1, 2]
    event = stage.events("account.low_balance")[0]
    assert (event.data["remaining"], event.data["below"]) == ("0.99", "1")
    with stage.database.read() as connection:
        last = balances.last(connection)
    assert last is not None
    assert (last.remaining, last.low) == (Decimal("0.8"), True)


def test_a_free_check_reads_the_balance(stage: Stage) -> None:
    """Though the gate stays closed and no call is made."""
    stage.look.trouble, stage.look.balance = "too little", Decimal("0.004")
    stage.close(next_probe_at=stage.now())
    leader = stage.dispatcher()
    leader.run_once()
    await_checks()
    leader.run_once()
    with stage.database.read() as connection:
        last = balances.last(connection)
    assert last is not None
    assert last.remaining == Decimal("0.004")
    assert len(stage.events("account.low_balance")) == 1


def test_two_gates_of_the_only_model_do_not_keep_each_other_closed(stage: Stage) -> None:
    """With both probes due one job tries both."""
    (job, *_) = stage.jobs(3)
    stage.close(code="spend_limit", next_probe_at=stage.now())
    stage.close(model=MODEL, code="forbidden", next_probe_at=stage.now())
    leader = stage.dispatcher()
    leader.run_once()
    assert stage.post.collect() == [job]
    assert {gate.probes for gate in stage.gates().values()} == {1}


def test_over_ticks_with_room_for_one_every_tenant_gets_its_turn(stage: Stage) -> None:
    """As under a slow rate: the batches of the first tenant don't keep the others waiting."""
    with stage.database.begin() as connection:
        for tenant in ("ann", "bob", "cy"):
            for _ in range(6):
                add_job(connection, tenant=tenant)
    leader = stage.dispatcher()
    tenants = []
    for taken in range(6):
        stage.slots(taken + 1)
        leader.run_once()
        tenants += [stage.row(job).tenant for job in stage.post.collect()]
    assert sorted(tenants[:3]) == sorted(tenants[3:]) == ["ann", "bob", "cy"]
