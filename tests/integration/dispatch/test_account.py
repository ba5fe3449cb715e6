"""The dispatcher and the account's money: budgets, probes within budgets, and the balance."""

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
from api_models.verdict import VerdictKind
from tests.dispatcher_harness import SECOND, Stage, await_checks
from tests.factories import MODEL, a_settlement, add_job
from worker.dispatch.budget import FIRST_CALLS
from worker.store.database import Database
from worker.store.money import balances, budgets
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
    """Calls end between any two of the dispatcher's statements; their cost is counted exactly once."""
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
