"""Waiting for submitted jobs: until they have finished, or until the timeout."""

from __future__ import annotations

import asyncio
import threading
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import create_async_engine
from uuid_utils.compat import uuid7

from api_models.status import TERMINAL, JobStatus
from tests.factories import NOW, ORIGIN, a_request, add_job, input_rows
from worker import producer, settings
from worker.producer import NoSuchJobError, NotFinishedError, waiting
from worker.store.database import Database
from worker.store.queries.jobs import Counts, JobRecord
from worker.store.tables.jobs import Job

SECONDS = 30.0
AT_ONCE = 0.0


def end(database: Database, job: UUID) -> None:
    """Call a job off, past all statements."""
    with database.begin() as connection:
        connection.execute(update(Job).where(Job.id == job).values(status=JobStatus.CANCELLED, finished_at=NOW))


def a_batch(database: Database) -> tuple[UUID, list[UUID]]:
    """A batch of two jobs, and their ids."""
    with database.begin() as connection:
        batch = producer.submit_batch(connection, input_rows(2), name="n", origin=ORIGIN, output_url=None).batch.id
        return batch, list(connection.execute(Job.__table__.select().with_only_columns(Job.id)).scalars())


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_finished_job_is_returned_at_once(database: Database, status: JobStatus) -> None:
    """However it ended."""
    with database.begin() as connection:
        job = add_job(connection, status=status)
    assert producer.wait(job, timeout_seconds=AT_ONCE, engine=database.engine).status == status


def test_a_job_that_ends_meanwhile_is_waited_for(database: Database) -> None:
    """The waiter sees what another transaction commits."""
    with database.begin() as connection:
        job = producer.enqueue(connection, a_request(), origin=ORIGIN)
    found: list[JobRecord] = []
    waiter = threading.Thread(
        target=lambda: found.append(producer.wait(job, timeout_seconds=SECONDS, engine=database.engine))
    )
    waiter.start()
    end(database, job)
    waiter.join(SECONDS)
    assert [(one.id, one.status) for one in found] == [(job, JobStatus.CANCELLED)]


def test_patience_ends_with_words(database: Database) -> None:
    """What was waited for, how long, and how it stood."""
    with database.begin() as connection:
        job = producer.enqueue(connection, a_request(), origin=ORIGIN)
    with pytest.raises(NotFinishedError, match=f"job {job} has not finished after 0 s: queued"):
        producer.wait(job, timeout_seconds=AT_ONCE, engine=database.engine)
    batch, _ = a_batch(database)
    with pytest.raises(NotFinishedError, match=f"batch {batch} has not finished after 0 s: 2 queued"):
        list(producer.watch(batch, timeout_seconds=AT_ONCE, engine=database.engine))


def test_an_uncommitted_job_is_not_waited_for(database: Database) -> None:
    """A job or batch that isn't there would never be over."""
    nobody = uuid7()
    with pytest.raises(NoSuchJobError, match="no such job"):
        producer.wait(nobody, engine=database.engine)
    with pytest.raises(NoSuchJobError, match="no such batch"):
        next(producer.watch(nobody, engine=database.engine))


def test_a_batch_is_reported_with_each_change(database: Database) -> None:
    """First as it is, then after each end, and nothing after the last."""
    batch, jobs = a_batch(database)
    seen: list[Counts] = []
    for counts in producer.watch(batch, timeout_seconds=SECONDS, engine=database.engine):
        seen.append(counts)
        if jobs:
            end(database, jobs.pop())
    assert [counts.of(JobStatus.CANCELLED) for counts in seen] == [0, 1, 2]


@pytest.mark.servers
def test_awaiting_blocks_no_other_task(on_postgresql: Database) -> None:
    """The asynchronous kind, over an asynchronous engine."""
    batch, jobs = a_batch(on_postgresql)
    for job in jobs:
        end(on_postgresql, job)

    async def main() -> tuple[JobRecord, list[Counts]]:
        engine = create_async_engine(on_postgresql.url)
        try:
            job = await producer.wait_async(jobs[0], timeout_seconds=AT_ONCE, engine=engine)
            watched = producer.watch_async(batch, timeout_seconds=AT_ONCE, engine=engine)
            return job, [counts async for counts in watched]
        finally:
            await engine.dispose()

    told, seen = asyncio.run(main())
    assert (told.id, told.status) == (jobs[0], JobStatus.CANCELLED)
    assert [counts.by_status for counts in seen] == [{JobStatus.CANCELLED: 2}]


def test_without_an_engine_the_settings_lead_to_the_database(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both kinds open a connection of their own, and close it."""
    with database.begin() as connection:
        job = add_job(connection, status=JobStatus.CANCELLED)
    monkeypatch.setenv("TTSQ_DATABASE_URL", database.url.render_as_string(hide_password=False))
    settings.current.cache_clear()
    try:
        assert producer.wait(job).id == job
        assert asyncio.run(producer.wait_async(job)).id == job
    finally:
        settings.current.cache_clear()


def test_pauses_grow_to_a_bound() -> None:
    """From a twentieth of a second to two, within a dozen looks."""
    pauses = [waiting.FIRST_PAUSE_SECONDS]
    for _ in range(12):
        pauses.append(waiting.longer(pauses[-1]))
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.05, 2.0)
