"""Producers in Python: rows inside the caller's own transaction, and batches that the same command finds again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text, update

from api_models.status import JobStatus
from tests.factories import NOW, ORIGIN, SHA256, a_request, input_rows, stored
from worker import producer
from worker.intake.validation import Row
from worker.producer import Submission
from worker.store import batches
from worker.store.database import Database
from worker.store.queries import jobs as job_queries
from worker.store.tables.base import NO_LANE
from worker.store.tables.jobs import Job
from worker.store.writing import bulk

OUT = "file:///tmp/out"


def submit(connection: Connection, rows: list[Row], **options: Any) -> Submission:  # noqa: ANN401 - any option
    return producer.submit_batch(
        connection, rows, **({"name": "welcome.csv", "origin": ORIGIN, "output_url": OUT} | options)
    )


def jobs_of(connection: Connection, submission: Submission) -> list[UUID]:
    """The ids of a batch's jobs, in the order of the lines."""
    return [job.id for job in job_queries.jobs(connection, job_queries.of_batch(submission.batch.id))]


def everything(connection: Connection) -> int:
    """How many jobs there are."""
    return job_queries.counts(connection, job_queries.all_jobs()).total


def end(connection: Connection, job: UUID, status: JobStatus) -> None:
    """Bring a job to its end, past all statements."""
    sound = {"uri": "file:///a", "sha256": SHA256} if status is JobStatus.SUCCEEDED else {}
    values = {"status": status, "finished_at": NOW, "code": "c", **sound}
    connection.execute(update(Job).where(Job.id == job).values(values))


def test_a_job_exists_once_the_callers_transaction_commits(database: Database) -> None:
    """Beside the caller's own rows, and not before."""
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER)"))
    with database.begin() as connection:
        connection.execute(text("INSERT INTO orders VALUES (1)"))
        job = producer.enqueue(connection, a_request(), origin=ORIGIN)
        with database.read() as offload:
            assert everything(offload) == 0
    with database.read() as connection:
        assert stored(connection, job).status == JobStatus.QUEUED
        assert connection.execute(text("SELECT count(*) FROM orders")).scalar_one() == 1


def test_a_job_vanishes_with_the_callers_transaction(database: Database) -> None:
    """Rolled back, neither the order nor its speech remain."""

    def order_and_fail() -> None:
        with database.begin() as connection:
            producer.enqueue(connection, a_request(), origin=ORIGIN)
            submit(connection, input_rows(3))
            raise RuntimeError("no more of this")

    with pytest.raises(RuntimeError, match="no more"):
        order_and_fail()
    with database.read() as connection:
        assert everything(connection) == 0
        assert batches.latest(connection, most=9) == []


def test_a_job_is_stored_as_it_was_asked_for(database: Database) -> None:
    """Every field of the request, in the default tenant and in no batch."""
    fields = {"text": "Hello.", "voice_1": "Puck", "temperature": 0.7, "priority": 5, "custom_id": "greeting"}
    with database.begin() as connection:
        row = stored(connection, producer.enqueue(connection, a_request(**fields), origin=ORIGIN, now=NOW))
    assert {name: getattr(row, name) for name in fields} == fields
    assert (row.voice_2, row.tenant, row.batch_id, row.lane, row.created_at) == (None, "default", None, NO_LANE, NOW)
    assert (row.attempt, row.attempts_used, row.cost, row.use_cache, row.recover) == (0, 0, 0, True, False)


@pytest.mark.parametrize(
    ("hours", "status"), [(None, JobStatus.QUEUED), (-1, JobStatus.QUEUED), (1, JobStatus.SCHEDULED)]
)
def test_a_later_start_is_scheduled(database: Database, hours: int | None, status: JobStatus) -> None:
    """A start that lies ahead waits for its time; one of the past doesn't."""
    start = None if hours is None else NOW + timedelta(hours=hours)
    with database.begin() as connection:
        job = producer.enqueue(connection, a_request(not_before=start), origin=ORIGIN, now=NOW)
        assert stored(connection, job).status == status


def test_the_rehearsal_and_the_real_thing_are_kept_apart(database: Database) -> None:
    """The same text at another address is other content."""
    with database.begin() as connection:
        jobs = [
            producer.enqueue(connection, a_request(text="Hello."), origin=origin)
            for origin in (ORIGIN, ORIGIN, "http://127.0.0.1:1")
        ]
        first, second, other = (stored(connection, job).fingerprint for job in jobs)
    assert first == second != other


def test_a_batch_is_written_whole(database: Database) -> None:
    """One job a line, in the order of the lines, in a lane of its own, under their names."""
    with database.begin() as connection:
        submission = submit(connection, input_rows(5))
        found = job_queries.jobs(connection, job_queries.of_batch(submission.batch.id))
        lanes = {stored(connection, job.id).lane for job in found}
        assert batches.by_id(connection, submission.batch.id) == submission.batch
    assert (submission.resumed, submission.retried, submission.batch.total) == (False, 0, 5)
    assert [(job.line, job.custom_id, job.text) for job in found] == [
        (line, f"{line:03}", f"Line {line}.") for line in range(1, 6)
    ]
    assert lanes == {submission.batch.id}


def test_a_big_batch_goes_in_pieces(database: Database) -> None:
    """More lines than one statement takes are all there."""
    with database.begin() as connection:
        submission = submit(connection, input_rows(bulk.ROWS_PER_BLOCK + 1))
        assert (
            job_queries.counts(connection, job_queries.of_batch(submission.batch.id)).total == bulk.ROWS_PER_BLOCK + 1
        )


def test_the_same_command_takes_its_batch_up_again(database: Database) -> None:
    """Nothing is added; what succeeded or still waits is left alone."""
    with database.begin() as connection:
        first = submit(connection, input_rows(4))
        jobs = jobs_of(connection, first)
        end(connection, jobs[0], JobStatus.SUCCEEDED)
        again = submit(connection, input_rows(4))
        assert jobs_of(connection, again) == jobs
        assert everything(connection) == 4
        assert stored(connection, jobs[0]).status == JobStatus.SUCCEEDED
    assert (again.batch.id, again.resumed, again.retried) == (first.batch.id, True, 0)


def test_what_ended_without_audio_is_tried_again(database: Database) -> None:
    """Failed, cancelled and expired jobs are queued again, under their ids and marked for recovery."""
    with database.begin() as connection:
        jobs = jobs_of(connection, submit(connection, input_rows(5)))
        for job, status in zip(jobs, (*producer.AGAIN, JobStatus.SUCCEEDED), strict=False):
            end(connection, job, status)
        again = submit(connection, input_rows(5))
        rows = [stored(connection, job) for job in jobs]
    assert again.retried == 3
    assert [row.status for row in rows] == [JobStatus.QUEUED] * 3 + [JobStatus.SUCCEEDED, JobStatus.QUEUED]
    assert [row.recover for row in rows] == [True] * 3 + [False] * 2


def test_a_fresh_batch_is_created_and_bought_again(database: Database) -> None:
    """It bypasses the cache; from then on it is the one that the same command finds."""
    with database.begin() as connection:
        first = submit(connection, input_rows(3))
        fresh = submit(connection, input_rows(3), resume=False)
        assert [stored(connection, job).use_cache for job in jobs_of(connection, fresh)] == [False] * 3
        assert [stored(connection, job).use_cache for job in jobs_of(connection, first)] == [True] * 3
        again = submit(connection, input_rows(3))
        assert everything(connection) == 6
    assert not fresh.resumed
    assert fresh.batch.id != first.batch.id
    assert again.batch.id == fresh.batch.id


@pytest.mark.parametrize(
    "change",
    [
        {"output_url": "file:///tmp/elsewhere"},
        {"output_url": None},
        {"origin": "http://127.0.0.1:1"},
        {"tenant": "another"},
        {"rows": input_rows(2)},
        {"rows": input_rows(3, words="Other line")},
        {"rows": input_rows(3, voice_1="Puck")},
        {"rows": [Row(row.line, row.request.model_copy(update={"custom_id": "x"})) for row in input_rows(1)]},
    ],
    ids=",".join,
)
def test_another_command_makes_another_batch(database: Database, change: dict[str, Any]) -> None:
    """Other rows, names, voices, another output, address or tenant."""
    options = {"rows": input_rows(3)} | change
    with database.begin() as connection:
        first = submit(connection, input_rows(3))
        other = submit(connection, options.pop("rows"), **options)
    assert not other.resumed
    assert other.batch.id != first.batch.id


def test_the_input_may_have_another_name(database: Database) -> None:
    """A file that was moved is the same input."""
    with database.begin() as connection:
        first = submit(connection, input_rows(2), name="a.csv")
        assert submit(connection, input_rows(2), name="b.csv").batch.id == first.batch.id


def test_a_line_that_bypasses_the_cache_does_so_alone(database: Database) -> None:
    """The rest of its batch may be copied."""
    rows = input_rows(1, cache="bypass", words="Fresh") + input_rows(2)[1:]
    with database.begin() as connection:
        jobs = jobs_of(connection, submit(connection, rows))
        assert [stored(connection, job).use_cache for job in jobs] == [False, True]


def at_once(database: Database, rivals: int, **options: Any) -> list[Submission]:  # noqa: ANN401 - any option
    """The same command, given by several at the same moment, each in a transaction of its own."""
    line = threading.Barrier(rivals)

    def give(_: int) -> Submission:
        line.wait()
        with database.begin() as connection:
            return submit(connection, input_rows(40), **options)

    with ThreadPoolExecutor(rivals) as executor:
        return list(executor.map(give, range(rivals)))


def test_one_command_given_twice_at_once_makes_one_batch(database: Database) -> None:
    """The second caller waits for the first, and resumes its batch."""
    submissions = at_once(database, 6)
    assert len({submission.batch.id for submission in submissions}) == 1
    assert sorted(submission.resumed for submission in submissions) == [False] + [True] * 5
    with database.read() as connection:
        assert everything(connection) == 40


def test_fresh_batches_made_at_once_are_all_made(database: Database) -> None:
    """Each has its jobs, and one of them is what the command finds from then on."""
    submissions = at_once(database, 4, resume=False)
    made = {submission.batch.id for submission in submissions}
    assert (len(made), {submission.resumed for submission in submissions}) == (4, {False})
    with database.begin() as connection:
        assert everything(connection) == 4 * 40
        assert submit(connection, input_rows(40)).batch.id in made


def test_tenants_share_no_content(database: Database) -> None:
    """The same request of two tenants is bought by each, so that no tenant learns what another submitted."""
    one, other = a_request(text="The same."), a_request(text="The same.")
    with database.begin() as connection:
        jobs = [
            producer.enqueue(connection, request, origin=ORIGIN, tenant=tenant)
            for request, tenant in ((one, "a"), (other, "b"), (other, "b"))
        ]
        prints = [stored(connection, job).fingerprint for job in jobs]
    assert prints[0] != prints[1] == prints[2]
