"""Counters that only grow: each attempt and each end of a job counts once, whatever becomes of the rows."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from threading import Thread
from typing import Final

import pytest
from sqlalchemy import Connection, delete, func, select

from api_models.verdict import VerdictKind
from tests.factories import MODEL, NOW, a_settlement, add_batch, add_job, add_worker, an_ended, some_audio
from tests.integration.store.claimed_jobs import FAILED, LATER, SUCCEEDED, Q, S, claimed
from worker.store import totals, workers
from worker.store.database import Database
from worker.store.queries import attempts
from worker.store.tables.jobs import Attempt, Job
from worker.store.tables.totals import Total
from worker.store.tables.workers import Worker
from worker.store.totals import Key, Name
from worker.store.transitions import actions, dispatches, rescues, settlement
from worker.store.types import PICODOLLARS

SECOND: Final = timedelta(seconds=1)
COST: Final = Decimal("0.0067")


def settle_one(connection: Connection, how: settlement.Settlement) -> None:
    claim = claimed(connection, add_job(connection))
    settlement.settle(connection, claim, how, now=NOW + 8 * SECOND)


def outcomes(database: Database) -> dict[str, int]:
    """Finished jobs by outcome."""
    with database.read() as connection:
        return {key.label: value for key, value in totals.read(connection).items() if key.name is Name.JOBS}


def test_each_attempt_and_end_counts_once(database: Database) -> None:
    """By verdict, model and tenant, with cost, bytes and durations."""
    with database.begin() as connection:
        for _ in range(3):
            settle_one(
                connection, a_settlement(SUCCEEDED, call_ms=7_900, upload_ms=80, audio=some_audio(audio_bytes=9))
            )
        settle_one(connection, a_settlement(FAILED))
        settle_one(connection, a_settlement(S))
        attempts.take_news(connection)
        attempts.take_news(connection)
        found = totals.read(connection)
    assert found == {
        Key(Name.JOBS, "succeeded"): 3,
        Key(Name.JOBS, "failed"): 1,
        Key(Name.ATTEMPTS, "success", MODEL): 3,
        Key(Name.ATTEMPTS, "refused", MODEL): 1,
        Key(Name.ATTEMPTS, "retry", MODEL): 1,
        Key(Name.DOLLARS, model=MODEL, tenant="default"): int(3 * COST * PICODOLLARS),
        Key(Name.BYTES, model=MODEL): 27,
        Key(Name.ATTEMPT_SECONDS, "10", MODEL): 5,
        Key(Name.ATTEMPT_SECONDS, "sum", MODEL): 40_000,
        Key(Name.CALL_SECONDS, "10", MODEL): 3,
        Key(Name.CALL_SECONDS, "sum", MODEL): 23_700,
        Key(Name.UPLOAD_SECONDS, "0.1", MODEL): 3,
        Key(Name.UPLOAD_SECONDS, "sum", MODEL): 240,
    }


def test_a_count_survives_its_rows(database: Database) -> None:
    """Deleting jobs and their ledger takes nothing back, and a rolled back read adds nothing."""
    with database.begin() as connection:
        settle_one(connection, a_settlement(SUCCEEDED))
    with database.engine.connect() as connection:  # never committed
        attempts.take_news(connection)
    assert outcomes(database) == {}
    with database.begin() as connection:
        attempts.take_news(connection)
        connection.execute(delete(Job))
        connection.execute(delete(Attempt))
        attempts.take_news(connection)
    assert outcomes(database) == {"succeeded": 1}


def test_ends_without_an_attempt_count(database: Database) -> None:
    """Cancelled and expired jobs; a cancelled one that was running counts no failure besides."""
    with database.begin() as connection:
        waiting = add_job(connection)
        running = claimed(connection, add_job(connection)).job_id
        add_job(connection, status=Q, deadline=NOW)
        assert actions.cancel(connection, actions.these([waiting, running]), now=NOW) == 2
        assert dispatches.expire(connection, now=LATER) == 1
        attempts.take_news(connection)
    assert outcomes(database) == {"cancelled": 2, "expired": 1}


def test_a_late_report_ends_no_job_twice(database: Database) -> None:
    """A job that was lost for good failed once, also when its worker reports after all; the cost counts when known."""
    with database.begin() as connection:
        claim = claimed(connection, add_job(connection), add_worker(connection))
        rescues.rescue(connection, [claim.worker_id], max_attempts=1, now=LATER)
        attempts.take_news(connection)
        settlement.settle(connection, claim, a_settlement(SUCCEEDED), now=LATER)
        attempts.take_news(connection)
        found = totals.read(connection)
    assert outcomes(database) == {"failed": 1}
    assert found[Key(Name.ATTEMPTS, "lost", MODEL)] == found[Key(Name.ATTEMPTS, "late", MODEL)] == 1
    assert found[Key(Name.DOLLARS, model=MODEL, tenant="default")] == int(COST * PICODOLLARS)


def test_parts_of_documents_are_attempts_but_no_jobs(database: Database) -> None:
    """A document is one job to its producer."""
    with database.begin() as connection:
        parent = add_job(connection, status=S, parts=1)
        claim = claimed(connection, add_job(connection, parent=parent, part=1, chosen=True))
        settlement.settle(connection, claim, a_settlement(SUCCEEDED), now=NOW + SECOND)
        attempts.take_news(connection)
        found = totals.read(connection)
    assert Key(Name.JOBS, "succeeded") not in found
    assert found[Key(Name.ATTEMPTS, "success", MODEL)] == 1


def test_two_cancellations_never_wait_for_each_other(on_postgresql: Database) -> None:
    """Each adds a row of its own, and the leader folds them; the sum is right before and after."""
    batches = []
    with on_postgresql.begin() as connection:
        for _ in range(2):
            batches.append(batch := add_batch(connection))
            add_job(connection, batch_id=batch)
    with on_postgresql.begin() as first:
        assert actions.cancel(first, Job.batch_id == batches[0], now=NOW) == 1
        other = Thread(target=cancel, args=(on_postgresql, batches[1]))
        other.start()
        other.join(20)
        assert not other.is_alive()
    assert outcomes(on_postgresql) == {"cancelled": 2}
    for _ in range(2):
        with on_postgresql.begin() as connection:
            totals.fold(connection)
            assert connection.execute(select(func.count()).select_from(Total)).scalar_one() == 1
        assert outcomes(on_postgresql) == {"cancelled": 2}


def cancel(database: Database, batch: object) -> None:
    with database.begin() as connection:
        actions.cancel(connection, Job.batch_id == batch, now=NOW)


def test_dropped_messages_of_forgotten_workers_still_count(database: Database) -> None:
    """Their rows are deleted after a while, and a counter must not fall."""
    with database.begin() as connection:
        add_worker(connection, stopped_at=NOW, dropped_messages=5)
        workers.forget(connection, stopped_before=NOW + SECOND)
        assert connection.execute(select(func.count()).select_from(Worker)).scalar_one() == 0
        assert totals.read(connection) == {Key(Name.DROPPED): 5}


@pytest.mark.parametrize(
    ("milliseconds", "label"),
    [(0, "0.1"), (100, "0.1"), (101, "0.25"), (600_000, "600"), (600_001, "+Inf"), (-5, "0.1")],
)
def test_a_bucket_includes_its_bound(milliseconds: int, label: str) -> None:
    """As Prometheus' `le` has it; a clock that stepped back is no reason to lose an attempt."""
    assert totals.bucket(milliseconds) == label
    ended = an_ended(call_ms=milliseconds, verdict=VerdictKind.CACHED)
    assert totals.of_attempts([ended])[Key(Name.CALL_SECONDS, label, MODEL)] == 1
