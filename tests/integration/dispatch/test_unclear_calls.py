"""Calls that may have been billed count against every budget at list price, until their outcome is known."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest

from api_models.access import EVERYTHING
from api_models.registry import MODELS
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.dispatcher_harness import SECOND, Stage
from tests.factories import MODEL, NOW, OTHER_MODEL, a_settlement, ledger
from worker.store.access import api_keys
from worker.store.database import Database
from worker.store.money import budgets, limits
from worker.store.money.limits import Limit
from worker.store.queries import holds
from worker.store.transitions import actions, claims, dispatches, rescues, settlement
from worker.store.transitions.claims import Claim

PRICE: Final = MODELS[MODEL].price


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage whose models have known costs."""
    stage = Stage(database)
    for model in (MODEL, OTHER_MODEL):
        stage.ended(
            VerdictKind.SUCCESS,
            tenant="someone else",
            model=model,
            cost=MODELS[model].price,
            text_bytes=4_000,
            noted=True,
        )
    return stage


def limited(stage: Stage, amount: Decimal) -> dict[str, Any]:
    """Columns of jobs that are under all three kinds of budget, each of this amount."""
    with stage.database.begin() as connection:
        key, _ = api_keys.make(
            connection, tenant="default", name="robot", scopes=EVERYTHING, rate=None, budget=amount, now=NOW
        )
        budgets.limit_month(connection, "default", amount)
    return {"batch_id": stage.batch(max_cost=amount), "key_id": key.id}


def found(stage: Stage) -> list[Limit]:
    """All limits."""
    with stage.database.read() as connection:
        return limits.standing(connection, now=stage.now())


def unclear(stage: Stage) -> set[Decimal]:
    """What the limits count for calls of unknown outcome; they agree."""
    return {limit.unclear for limit in found(stage)}


def claimed(stage: Stage, job: UUID, worker: UUID) -> Claim:
    """The job in a worker's hands."""
    with stage.database.begin() as connection:
        now = stage.database.now(connection)
        dispatches.dispatch(connection, [job], worker_id=None, now=now)
        claim = claims.claim(connection, job, stage.row(job).attempt, worker_id=worker, now=now)
    assert claim is not None
    return claim


def dies(stage: Stage, worker: UUID) -> None:
    """The worker's jobs are rescued."""
    with stage.database.begin() as connection:
        rescues.rescue(connection, [worker], max_attempts=5, now=stage.database.now(connection))


def test_a_lost_call_takes_its_place_in_the_budget(stage: Stage) -> None:
    """It may be paid for, so what is left covers one call less; the job itself is tried again within that."""
    columns = limited(stage, 3 * PRICE)
    jobs = stage.jobs(9, **columns)
    worker = stage.worker(slots=1)
    claimed(stage, jobs[0], worker)
    dies(stage, worker)
    assert unclear(stage) == {PRICE}
    stage.worker(slots=50)
    stage.dispatcher().run_once()
    assert stage.post.collect() == jobs[:2]


def test_each_counts_at_its_own_models_price(stage: Stage) -> None:
    """One that has a cost is in the books and isn't counted once more; a model of tomorrow has no price yet."""
    columns = limited(stage, Decimal(1))
    for model, cost in ((MODEL, 0), (OTHER_MODEL, 0), (MODEL, PRICE), ("a-model-of-tomorrow", 0)):
        job = stage.job(status=JobStatus.RUNNING, model=MODEL, **columns)
        stage.ended(
            VerdictKind.RETRY,
            job_id=job,
            model=model,
            batch_id=columns["batch_id"],
            possibly_billed=True,
            cost=Decimal(cost),
        )
    assert unclear(stage) == {MODELS[MODEL].price + MODELS[OTHER_MODEL].price}
    assert {limit.spent for limit in found(stage)} == {PRICE}


def test_a_call_that_becomes_clear_is_counted_once(stage: Stage) -> None:
    """Its worker delivers the take late: the actual cost replaces the list price."""
    columns = limited(stage, Decimal(1))
    worker = stage.worker()
    claim = claimed(stage, stage.job(**columns), worker)
    dies(stage, worker)
    with stage.database.begin() as connection:
        assert not settlement.settle(connection, claim, a_settlement(cost=Decimal("0.008")), now=stage.now() + SECOND)
    assert unclear(stage) == {Decimal(0)}
    assert {limit.spent for limit in found(stage)} == {Decimal("0.008")}


def test_a_call_that_outlives_its_cancelled_job_counts(stage: Stage) -> None:
    """From the moment of the cancelling until its worker says what came of it."""
    columns = limited(stage, Decimal(1))
    worker = stage.worker()
    waiting = stage.jobs(2, **columns)
    claim = claimed(stage, stage.job(**columns), worker)
    with stage.database.begin() as connection:
        assert actions.cancel(connection, actions.these([claim.job_id]), now=stage.now()) == 1
    assert unclear(stage) == {PRICE}
    with stage.database.read() as connection:
        (row,) = ledger(connection, claim.job_id)
    assert (row.verdict, row.code, row.worker_id) == (VerdictKind.LOST, "cancelled", worker)
    with stage.database.begin() as connection:
        assert not settlement.settle(connection, claim, a_settlement(cost=PRICE), now=stage.now())
    assert unclear(stage) == {Decimal(0)}
    assert {limit.spent for limit in found(stage)} == {PRICE}
    assert stage.row(claim.job_id).cost == PRICE
    assert stage.status(*waiting) == [JobStatus.QUEUED] * 2


def test_a_call_whose_worker_died_after_the_cancellation_stays_counted(stage: Stage) -> None:
    """Its cost stays unknown; when retried, the job adds another call."""
    columns = limited(stage, 2 * PRICE)
    worker = stage.worker()
    keep_open = stage.job(**columns, status=JobStatus.SCHEDULED, not_before=stage.now() + 9_000 * SECOND)
    claim = claimed(stage, stage.job(**columns), worker)
    with stage.database.begin() as connection:
        actions.cancel(connection, actions.these([claim.job_id]), now=stage.now())
    dies(stage, worker)
    assert unclear(stage) == {PRICE}
    with stage.database.begin() as connection:
        actions.retry(connection, actions.these([claim.job_id]), states=[JobStatus.CANCELLED])
    more = stage.job(**columns)
    stage.worker(slots=50)
    stage.dispatcher().run_once()
    assert stage.post.collect() == [claim.job_id]
    assert stage.status(more, keep_open) == [JobStatus.QUEUED, JobStatus.SCHEDULED]


def test_cancelling_what_makes_no_call_leaves_nothing_in_doubt(stage: Stage) -> None:
    """Queued, scheduled and dispatched jobs have cost nothing."""
    columns = limited(stage, Decimal(1))
    jobs = [
        stage.job(**columns, status=status) for status in (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.DISPATCHED)
    ]
    stage.job(**columns)
    with stage.database.begin() as connection:
        assert actions.cancel(connection, actions.these(jobs), now=stage.now()) == 3
        assert [ledger(connection, job) for job in jobs] == [[], [], []]
    assert unclear(stage) == {Decimal(0)}


def test_a_submitted_call_counts_while_it_is_not_polled(stage: Stage) -> None:
    """v2: its worker died and its job waits for its turn. The call is made, and is neither lost nor forgotten."""
    columns = limited(stage, 2 * PRICE)
    worker = stage.worker(slots=1)
    claim = claimed(stage, stage.job(**columns), worker)
    with stage.database.begin() as connection:
        claims.keep(connection, [(claim, "req-1")])
    dies(stage, worker)
    assert unclear(stage) == {Decimal(0)}
    with stage.database.begin() as connection:
        (first, *_) = budgets.standings(connection, now=stage.now())
    assert first.reserved == PRICE
    others = stage.jobs(5, **columns)
    stage.worker(slots=50)
    stage.dispatcher().run_once()
    assert stage.post.collect() == sorted([claim.job_id, others[0]])


def test_the_hold_names_what_is_in_doubt(stage: Stage) -> None:
    """With what it counts."""
    batch = stage.batch(max_cost=Decimal("0.01"), name="book.csv")
    stage.ended(VerdictKind.RETRY, batch_id=batch, possibly_billed=True, cost=Decimal(0))
    stage.job(batch_id=batch)
    stage.worker()
    with stage.database.read() as connection:
        (hold,) = holds.holds(connection, now=stage.now())
    assert "$0 of $0.01 is spent, calls of unknown outcome count $0.0067 and the next one $0.0067" in hold.message


def test_a_claim_that_comes_late_to_a_cancelled_job_may_repeat_itself(stage: Stage) -> None:
    """The answer to its commit was lost: told again, nothing is charged twice."""
    columns = limited(stage, Decimal(1))
    claim = claimed(stage, stage.job(**columns), stage.worker())
    stage.job(**columns)
    with stage.database.begin() as connection:
        actions.cancel(connection, actions.these([claim.job_id]), now=stage.now())
    for _ in range(2):
        with stage.database.begin() as connection:
            assert not settlement.settle(connection, claim, replace(a_settlement(), cost=PRICE), now=stage.now())
    assert {limit.spent for limit in found(stage)} == {PRICE}
    assert stage.row(claim.job_id).cost == PRICE
