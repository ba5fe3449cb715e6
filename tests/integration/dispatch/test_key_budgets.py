"""The budget of an API key holds what was submitted with it, by whatever way it comes to its turn, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from api_models.access import EVERYTHING
from api_models.registry import MODELS
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.dispatcher_harness import Stage
from tests.factories import MODEL, NOW
from worker.store.access import api_keys
from worker.store.database import Database
from worker.store.money import budgets, limits
from worker.store.queries import holds
from worker.store.tables.access import ApiKey
from worker.store.tables.jobs import Attempt, Job
from worker.store.transitions import actions

PRICE: Final = MODELS[MODEL].price


@pytest.fixture
def stage(database: Database) -> Stage:
    """A stage whose model has a known cost, with a worker of many slots."""
    stage = Stage(database)
    stage.ended(VerdictKind.SUCCESS, tenant="someone else", text_bytes=4_000, noted=True)
    stage.worker(slots=50)
    return stage


def a_key(stage: Stage, budget: Decimal | None, tenant: str = "acme", name: str = "robot") -> UUID:
    """A key's id."""
    with stage.database.begin() as connection:
        record, _ = api_keys.make(
            connection, tenant=tenant, name=name, scopes=EVERYTHING, rate=None, budget=budget, now=NOW
        )
    return record.id


def jobs(stage: Stage, count: int, key: UUID | None, **columns: Any) -> list[UUID]:  # noqa: ANN401 - any column
    """Jobs of `acme`."""
    return stage.jobs(count, tenant="acme", key_id=key, **columns)


def speak(stage: Stage, ids: list[UUID], cost: Decimal = PRICE) -> None:
    """Published jobs succeed without a worker."""
    for job in ids:
        with stage.database.begin() as connection:
            connection.execute(delete(Job).where(Job.id == job))
        stage.job(
            id=job, tenant="acme", key_id=KEYS[job], status=JobStatus.SUCCEEDED, cost=cost, finished_at=stage.now()
        )
        stage.ended(VerdictKind.SUCCESS, job_id=job, tenant="acme", cost=cost, text_bytes=30)


KEYS: Final[dict[UUID, UUID | None]] = {}
"""The keys of jobs that `speak` replaces."""


def started(stage: Stage, ticks: int = 3) -> list[UUID]:
    """What a new leader sends out in some ticks."""
    stage.lapse()
    leader = stage.dispatcher()
    for _ in range(ticks):
        leader.run_once()
    return stage.post.collect()


@pytest.mark.parametrize("in_batch", [True, False], ids=["batch", "single jobs"])
def test_only_as_many_start_as_the_budget_surely_covers(stage: Stage, in_batch: bool) -> None:
    """Of a sheet as of single jobs; what is in flight counts from tick to tick."""
    key = a_key(stage, 3 * PRICE)
    columns = {"batch_id": stage.batch(tenant="acme")} if in_batch else {}
    made = jobs(stage, 20, key, **columns)
    assert started(stage) == made[:3]


def test_others_of_the_tenant_do_not_wait_behind_a_used_up_key(stage: Stage) -> None:
    """Single jobs share one lane: those whose key is out of money leave it, however many stand at its head."""
    poor, rich = a_key(stage, Decimal(0)), a_key(stage, Decimal(10), name="rich")
    held = jobs(stage, 30, poor)
    others = jobs(stage, 3, rich) + jobs(stage, 3, None)
    assert started(stage) == sorted(others)
    assert set(stage.status(*held)) == {JobStatus.QUEUED}


def test_a_cancelled_job_that_is_tried_again_meets_the_same_budget(stage: Stage) -> None:
    """It stays the key's job, even if another key retries it and the key was revoked meanwhile."""
    key = a_key(stage, PRICE)
    made = jobs(stage, 4, key, status=JobStatus.SCHEDULED, not_before=NOW)
    with stage.database.begin() as connection:
        assert actions.cancel(connection, actions.these(made), now=stage.now()) == 4
        api_keys.revoke(connection, key, now=stage.now())
        assert actions.retry(connection, actions.these(made), states=[JobStatus.CANCELLED]) == 4
    assert len(started(stage)) == 1


def test_a_budget_is_for_all_jobs_that_were_ever_submitted_with_a_key(stage: Stage) -> None:
    """What was spent stays spent when its jobs' rows are gone, and is the same for the next leader."""
    key = a_key(stage, 3 * PRICE)
    first = jobs(stage, 2, key)
    KEYS.update(dict.fromkeys(first, key))
    assert started(stage) == first
    speak(stage, first)
    assert started(stage) == []
    with stage.database.begin() as connection:
        assert connection.execute(select(ApiKey.spent).where(ApiKey.id == key)).scalar_one() == 2 * PRICE
        connection.execute(delete(Job).where(Job.id.in_(first)))
    more = jobs(stage, 5, key)
    assert started(stage) == more[:1]


def test_the_counter_begins_with_what_the_ledger_holds(stage: Stage) -> None:
    """A key of an older version has none; what is read and what isn't both count, each once."""
    key = a_key(stage, 5 * PRICE)
    before = jobs(stage, 3, key, status=JobStatus.SUCCEEDED)
    for number, job in enumerate(before):
        stage.ended(VerdictKind.SUCCESS, job_id=job, tenant="acme", cost=PRICE, noted=number < 2, text_bytes=30)
    more = jobs(stage, 9, key)
    assert started(stage) == more[:2]
    with stage.database.read() as connection:
        limit = limits.of_key(connection, key)
    assert limit is not None
    assert limit.spent == 3 * PRICE


def test_a_used_up_key_is_among_the_holds_with_its_remedy(stage: Stage) -> None:
    """Its jobs resume once the budget is raised or lifted."""
    key = a_key(stage, Decimal("0.001"))
    made = jobs(stage, 6, key)
    assert started(stage) == []
    with stage.database.read() as connection:
        (hold,) = holds.holds(connection, now=stage.now())
    assert hold.name == f"budget:{key}"
    assert hold.message == (
        f"API key robot: $0 of $0.001 is spent and the next one $0.0067; raise it with `ttsq keys budget {key} DOLLARS`"
    )
    with stage.database.begin() as connection:
        assert budgets.limit_key(connection, key, 2 * PRICE)
    assert started(stage) == made[:2]
    with stage.database.begin() as connection:
        budgets.limit_key(connection, key, None)
    assert started(stage) == made[2:]


def test_the_tightest_of_all_budgets_decides(stage: Stage) -> None:
    """Of a batch's, a month's and a key's."""
    amounts = {"key": 3, "batch": 3, "month": 3}
    for tightest in amounts:
        limit = {name: PRICE * (2 if name == tightest else 5) for name in amounts}
        key = a_key(stage, limit["key"])
        batch = stage.batch(tenant=tightest, max_cost=limit["batch"])
        with stage.database.begin() as connection:
            budgets.limit_month(connection, tightest, limit["month"])
        made = stage.jobs(9, tenant=tightest, key_id=key, batch_id=batch)
        assert started(stage) == made[:2], tightest


def test_copies_cost_nothing_and_are_not_held(stage: Stage) -> None:
    """Under a budget that covers no call."""
    key = a_key(stage, Decimal(0))
    text = "It was bought before."
    stage.job(tenant="acme", text=text, status=JobStatus.SUCCEEDED)
    stage.job(tenant="acme", text="This as well.", status=JobStatus.SUCCEEDED)
    copies = jobs(stage, 1, key, text=text) + jobs(stage, 1, key, text="This as well.")
    assert started(stage) == copies
    purged = stage.job(tenant="acme", text="Gone.", status=JobStatus.SUCCEEDED, purged_at=NOW)
    assert stage.row(purged).purged_at is not None
    jobs(stage, 1, key, text="Gone.")
    jobs(stage, 1, key, text=text, use_cache=False)
    assert started(stage) == []


def test_every_charge_of_a_key_is_in_its_counter(stage: Stage) -> None:
    """Late and lost attempts, too: the counter and what isn't read yet are the ledger's own sum at any moment."""
    key = a_key(stage, Decimal(10))
    made = jobs(stage, 1, key)
    assert started(stage, ticks=1) == made
    for number, verdict in enumerate((VerdictKind.LATE, VerdictKind.BAD_TAKE, VerdictKind.SUCCESS), 1):
        stage.ended(verdict, job_id=made[0], number=number, tenant="acme", cost=PRICE, text_bytes=30)
        with stage.database.read() as connection:
            ledger = connection.execute(select(Attempt.number).where(Attempt.job_id == made[0])).all()
            limit = limits.of_key(connection, key)
        assert limit is not None
        assert limit.spent == len(ledger) * PRICE
        started(stage)
