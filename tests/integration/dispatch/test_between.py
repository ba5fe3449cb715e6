"""What workers do between two statements of one tick, which on PostgreSQL each see what was committed before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from sqlalchemy import event

from api_models.registry import MODELS
from api_models.status import JobStatus
from api_models.verdict import GateScope, VerdictKind
from tests.dispatcher_harness import SECOND, Stage
from tests.factories import MODEL, a_claim, a_settlement, stored
from worker.store.database import Database
from worker.store.transitions import settlement

PRICE: Final = MODELS[MODEL].price
SLOTS: Final = "GROUP BY jobs.worker_id"
NEWS: Final = "UPDATE attempts SET noted"
FLYING: Final = "jobs.batch_id, jobs.model, octet_length"
LIMITS: Final = "batches.max_cost, batches.spent"


@pytest.fixture
def stage(on_postgresql: Database) -> Stage:
    """A stage on PostgreSQL: SQLite has one writer at a time, and nothing comes between its statements."""
    return Stage(on_postgresql)


@contextmanager
def between(database: Database, statements: tuple[str, str], happen: Callable[[], None]) -> Iterator[list[str]]:
    """Call `happen` once, between these two statements, in either order. Yields the statements in their order."""
    seen: list[str] = []

    def look(_c: object, _cursor: object, statement: str, *_: Any) -> None:  # noqa: ANN401 - the driver's
        for words in statements:
            if words in statement and words not in seen:
                seen.append(words)
                if len(seen) == 1:
                    happen()

    event.listen(database.engine, "after_cursor_execute", look)
    yield seen
    event.remove(database.engine, "after_cursor_execute", look)


def running(stage: Stage, **columns: Any) -> Any:  # noqa: ANN401 - any column; a claim
    """A running job, and its claim."""
    worker = stage.worker(slots=1)
    job = stage.job(status=JobStatus.RUNNING, worker_id=worker, **columns)
    row = stage.row(job)
    return a_claim(job_id=job, attempt=row.attempt, batch_id=row.batch_id, worker_id=worker, started_at=stage.now())


def test_a_slot_that_a_refusal_frees_in_mid_tick_is_not_filled(stage: Stage) -> None:
    """When the slot is seen free, the gate is already closed, so no job starts."""
    claim = running(stage)
    waiting = stage.job()
    refusal = a_settlement(
        JobStatus.QUEUED,
        verdict=VerdictKind.GATE,
        scope=GateScope.ACCOUNT,
        code="insufficient_credits",
        message="out of credit",
    )

    def refuse() -> None:
        with stage.database.begin() as connection:
            settlement.settle(connection, claim, refusal, now=stage.now() + SECOND)

    leader = stage.dispatcher()
    with between(stage.database, (SLOTS, NEWS), refuse) as order:
        leader.run_once()
    assert len(order) == 2
    assert stage.post.collect() == []
    leader.run_once()
    assert stage.post.collect() == []
    assert list(stage.gates()) == ["account"]
    assert stage.status(waiting) == [JobStatus.QUEUED]


def test_a_call_that_ends_in_mid_tick_is_counted_against_its_budget(stage: Stage) -> None:
    """It is no longer in flight and not yet read, and its cost is neither forgotten nor set against it for long."""
    batch = stage.batch(max_cost=2 * PRICE)
    known = stage.job(status=JobStatus.SUCCEEDED, text="x" * 500)
    stage.ended(VerdictKind.SUCCESS, job_id=known)
    claim = running(stage, batch_id=batch)
    stage.slots(10)
    jobs = stage.jobs(5, batch_id=batch)

    def succeed() -> None:
        with stage.database.begin() as connection:
            settlement.settle(connection, claim, a_settlement(cost=PRICE), now=stage.now())

    leader = stage.dispatcher()
    with between(stage.database, (FLYING, LIMITS), succeed) as order:
        leader.run_once()
    assert len(order) == 2
    started = stage.post.collect()
    leader.run_once()
    assert started + stage.post.collect() == jobs[:1]
    with stage.database.read() as connection:
        assert stored(connection, claim.job_id).cost == PRICE
