"""Tallies always equal the rows, after every change and by any writer, on either database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, delete, func, select, text, update

from api_models.status import JobStatus
from tests.factories import (
    MODEL,
    NOW,
    OTHER_MODEL,
    a_claim,
    a_settlement,
    add_batch,
    add_job,
    add_jobs,
    add_worker,
    input_rows,
    job_row,
)
from tests.integration.plans import watched
from worker import producer
from worker.store.database import Database
from worker.store.queries import counters, filters, position
from worker.store.queries import jobs as job_queries
from worker.store.queries.jobs import Counts
from worker.store.tables.jobs import Batch, Job, Tally
from worker.store.transitions import actions, dispatches, settlement
from worker.store.transitions import claims as job_claims

EVERYTHING = job_queries.all_jobs()


def by_rows(connection: Connection, which: ColumnElement[bool]) -> Counts:
    """The same, from the rows alone."""
    found = connection.execute(select(Job.status, Job.cached, Job.cost).where(which)).all()
    states: dict[JobStatus, int] = {}
    for row in found:
        states[JobStatus(row.status)] = states.get(JobStatus(row.status), 0) + 1
    return Counts(states, sum(row.cached for row in found), sum((row.cost for row in found), job_queries.ZERO))


def agree(connection: Connection, *selected: ColumnElement[bool]) -> bool:
    """Whether all of these selections are counted as they are."""
    return all(job_queries.counts(connection, which) == by_rows(connection, which) for which in (EVERYTHING, *selected))


def reads_jobs(connection: Connection, which: ColumnElement[bool]) -> bool:
    """Whether counting a selection reads the jobs themselves."""
    with watched(connection) as sent:
        job_queries.counts(connection, which)
    return any("FROM jobs" in statement for statement, _ in sent)


def some_work(connection: Connection) -> list[UUID]:
    """Jobs of several kinds, with one batch."""
    batch = add_batch(connection, id=UUID(int=1))
    add_jobs(
        connection,
        *(job_row(tenant=tenant, model=model) for tenant in ("ann", "bob") for model in (MODEL, OTHER_MODEL)),
        job_row(status=JobStatus.SUCCEEDED, cached=True, cost=1),
        job_row(status=JobStatus.FAILED, batch_id=batch, cost=2),
    )
    return add_jobs(connection, *(job_row(batch_id=batch, priority=number % 2) for number in range(6)))


def test_every_step_of_a_job_is_counted(database: Database) -> None:
    """Handing in, sending, taking, recording with its cost, calling off, trying again, and being forgotten."""
    with database.begin() as connection:
        jobs = some_work(connection)
        batch = job_queries.of_batch(UUID(int=1))
        worker = add_worker(connection)
        assert agree(connection, batch)
        sent = dispatches.dispatch(connection, jobs, worker_id=None, now=NOW)
        assert agree(connection, batch)
        turns = [(job.job_id, job.attempt) for job in sent[:4]]
        claims = [claim for claim in job_claims.claim_all(connection, turns, worker_id=worker, now=NOW) if claim]
        assert agree(connection, batch)
        settlement.settle_all_at_once(connection, [(claim, a_settlement()) for claim in claims], now=NOW)
        assert agree(connection, batch)
        actions.cancel(connection, actions.these(jobs), now=NOW)
        assert agree(connection, batch)
        actions.retry(connection, actions.these(jobs), states=[JobStatus.CANCELLED])
        assert agree(connection, batch)
        connection.execute(delete(Job).where(Job.tenant == "ann"))
        assert agree(connection, batch)
        connection.execute(delete(Batch))
        assert agree(connection, batch)
        assert job_queries.counts(connection, batch).total == 0


def test_rows_in_bulk_are_counted(database: Database) -> None:
    """A batch that comes in by COPY counts as one that doesn't."""
    with database.begin() as connection:
        producer.submit_batch(connection, input_rows(50), name="a.csv", origin="o", output_url=None)
        assert agree(connection)
        assert job_queries.counts(connection, EVERYTHING).total == 50


def test_counts_of_a_selection_equal_its_rows(database: Database) -> None:
    """By tenant, model, batch and state, one within another, or either; and what they don't know, by the rows."""
    with database.begin() as connection:
        jobs = some_work(connection)
        batch, ann = job_queries.of_batch(UUID(int=1)), filters.of_tenant(EVERYTHING, "ann")
        told = (
            batch,
            ann,
            filters.of_model(ann, MODEL),
            filters.both(batch, filters.unfinished(EVERYTHING)),
            filters.either([batch, filters.of_model(EVERYTHING, OTHER_MODEL)]),
            filters.selection(states=[JobStatus.QUEUED, JobStatus.FAILED]),
        )
        untold = (
            filters.selection(code="invalid_request"),
            filters.selection(job_ids=jobs[:2]),
            filters.finished_since(batch, NOW - timedelta(days=1)),
            Job.batch_id.is_(None),
            Job.batch_id.in_(select(Batch.id)),
        )
        assert agree(connection, *told, *untold)
        assert all(reads_jobs(connection, which) for which in untold)
        assert any(reads_jobs(connection, which) for which in told) == database.is_sqlite


def test_folding_changes_no_figure(on_postgresql: Database) -> None:
    """Changes become one row per kind of jobs, and a kind without jobs is removed."""
    with on_postgresql.begin() as connection:
        jobs = some_work(connection)
        dispatches.dispatch(connection, jobs[:2], worker_id=None, now=NOW)
        counters.fold(connection)
        dispatches.dispatch(connection, jobs[2:], worker_id=None, now=NOW)
        before = job_queries.counts(connection, EVERYTHING), job_queries.span(connection, EVERYTHING)
        counters.fold(connection)
        assert agree(connection)
        assert before == (job_queries.counts(connection, EVERYTHING), job_queries.span(connection, EVERYTHING))
        kinds = select(Job.lane, Job.tenant, Job.model, Job.priority, Job.status, Job.cached).distinct()
        rows = connection.execute(select(func.count(), func.min(Tally.jobs), func.max(Tally.part))).one()
        assert tuple(rows) == (len(connection.execute(kinds).all()), 1, counters.FOLDED)


def test_what_moves_nowhere_leaves_no_row(on_postgresql: Database) -> None:
    """A change that is none of state or cost isn't written down."""
    with on_postgresql.begin() as connection:
        some_work(connection)
        counters.fold(connection)
        before = connection.execute(select(func.count()).select_from(Tally)).scalar_one()
        connection.execute(update(Job).values(recover=True))
        assert connection.execute(select(func.count()).select_from(Tally)).scalar_one() == before


def test_two_who_change_one_batch_do_not_wait_for_each_other(on_postgresql: Database) -> None:
    """Nor does the fold wait for them; and what they did is counted once they have committed."""
    with on_postgresql.begin() as connection:
        jobs = some_work(connection)
    with on_postgresql.begin() as one, on_postgresql.begin() as other, on_postgresql.begin() as leader:
        for connection in (one, other, leader):
            connection.execute(text("SET LOCAL lock_timeout = '100ms'"))
        dispatches.dispatch(one, jobs[:2], worker_id=None, now=NOW)
        dispatches.dispatch(other, jobs[2:4], worker_id=None, now=NOW)
        counters.fold(leader)
    with on_postgresql.begin() as connection:
        assert agree(connection)
        assert job_queries.counts(connection, EVERYTHING).of(JobStatus.DISPATCHED) == 4


def test_a_span_is_from_the_first_submission_to_the_last_end(database: Database) -> None:
    """Of a selection, whatever kinds of jobs are in it."""
    later = NOW + timedelta(hours=1)
    with database.begin() as connection:
        add_job(connection, created_at=later)
        add_job(connection, status=JobStatus.SUCCEEDED, finished_at=later)
        add_job(connection, status=JobStatus.CANCELLED, finished_at=NOW, tenant="ann")
        assert job_queries.span(connection, EVERYTHING) == (NOW, later)
        assert job_queries.span(connection, filters.of_tenant(EVERYTHING, "ann")) == (NOW, NOW)
        assert job_queries.span(connection, filters.of_tenant(EVERYTHING, "bob")) == (None, None)


def test_a_late_record_is_counted(database: Database) -> None:
    """What a worker paid for that had lost its job is in the job's cost, and in what is counted."""
    with database.begin() as connection:
        job = add_job(connection, attempt=1)
        settlement.settle(connection, a_claim(job_id=job, attempt=1), a_settlement(), now=NOW)
        assert agree(connection)
        assert job_queries.counts(connection, EVERYTHING).cost > 0


def test_the_place_of_a_batch_is_known_from_them(database: Database) -> None:
    """Jobs before it, by priority, and beside it: the same on both databases."""
    mine, other = UUID(int=1), UUID(int=2)
    rows: Sequence[dict[str, Any]] = [
        *(job_row(batch_id=mine) for _ in range(3)),
        *(job_row(batch_id=other) for _ in range(5)),
        *(job_row(batch_id=other, priority=1) for _ in range(2)),
    ]
    with database.begin() as connection:
        for batch in (mine, other):
            add_batch(connection, id=batch)
        add_jobs(connection, *rows)
        place = position.position(connection, mine)
        assert place is not None
        assert (place.before, place.between) == (2, 3)
