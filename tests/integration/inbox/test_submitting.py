"""Rows of the inbox become jobs, by the rules of every other way in."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select, text

from api_models.speech import JobRequest
from tests.inbox_harness import Office, insert
from worker import producer
from worker.store import batches
from worker.store.database import Database
from worker.store.tables.jobs import Batch, Job
from worker.store.tables.webhooks import Endpoint


@pytest.fixture
def office(database: Database) -> Office:
    """An empty inbox, once on each kind of database."""
    return Office(database)


def test_a_job_exists_exactly_if_the_transaction_commits(office: Office) -> None:
    """Two committed and one rolled back: two jobs, in the order of the inserts, and the dispatcher is woken."""
    office.put({"text": "Good morning.", "voice_1": "Kore", "tags": ["a"]}, {"text": "Good night.", "format": "mp3"})
    with office.database.begin() as connection:
        insert(connection, {"text": "Never said."})
        connection.rollback()
    assert office.work() == 1
    assert [job.status for job in office.jobs()] == ["queued", "queued"]
    with office.database.read() as connection:
        found = connection.execute(select(Job.text, Job.tenant, Job.voice_1, Job.notify).order_by(Job.id)).all()
    assert [tuple(row) for row in found] == [
        ("Good morning.", "default", "Kore", True),
        ("Good night.", "default", None, True),
    ]
    assert office.woken == [None]
    assert [row.job_id for row in office.rows()] == [job.id for job in office.jobs()]
    assert office.reader.run_once() is False
    assert office.woken == [None]


def test_the_id_that_the_producer_knows_is_the_jobs(office: Office) -> None:
    """On PostgreSQL the function returns it; elsewhere the producer may write it."""
    if office.database.is_sqlite:
        known = UUID("0192f3a4-5b6c-7d8e-9f01-23456789abcd")
        office.put_raw(id=known.hex, request='{"text": "Hello."}')
        office.put_raw(id=str(known).replace("abcd", "abce"), request='{"text": "Hello with hyphens."}')
    else:
        with office.database.begin() as connection:
            known = connection.execute(text("""SELECT ttsq_submit('{"text": "Hello."}')""")).scalar_one()
        assert known.version == 7
    office.work()
    assert known in {job.id for job in office.jobs()}
    assert office.faults() == []


def test_an_idempotency_key_makes_one_job(office: Office) -> None:
    """In one page, over two pages, and shared with `enqueue`; another request under it is refused."""
    keyed = {"text": "Order 17 is on its way.", "idempotency_key": "order-17"}
    office.put(keyed, keyed)
    office.work()
    office.put(keyed, {**keyed, "text": "Order 18."}, {**keyed, "tenant": "other"})
    office.work()
    jobs = office.jobs()
    assert [job.tenant for job in jobs] == ["default", "other"]
    assert [row.job_id for row in office.rows()] == [jobs[0].id, jobs[0].id, jobs[0].id, None, jobs[1].id]
    assert "belongs to another request" in office.faults()[0]
    with office.database.begin() as connection:
        same = producer.enqueue(
            connection,
            JobRequest(text="Order 17 is on its way."),
            idempotency_key="order-17",
            configuration=office.reader.settings,
        )
    assert same == jobs[0].id


def test_rows_of_one_batch_name_share_a_batch(office: Office) -> None:
    """With its budget, over pages; each tenant has its own; a name that is used twice in it is refused."""
    line = {"batch": "newsletter", "max_cost": "1.50"}
    office.put({"text": "One.", "custom_id": "a", **line}, {"text": "Two.", "custom_id": "b", **line})
    office.put({"text": "Theirs.", "custom_id": "a", "batch": "newsletter", "tenant": "other"})
    office.work()
    office.put(
        {"text": "Three.", "custom_id": "c", **line, "max_cost": "2"}, {"text": "Four.", "custom_id": "a", **line}
    )
    office.work()
    with office.database.read() as connection:
        found = connection.execute(select(Batch.tenant, Batch.total, Batch.max_cost).order_by(Batch.tenant)).all()
    assert [tuple(row) for row in found] == [("default", 3, Decimal(2)), ("other", 1, None)]
    assert [fault.partition(":")[0] for fault in office.faults()] == ["custom_id"]
    assert len({job.batch_id for job in office.jobs()}) == 2


def test_a_finished_batch_is_unfinished_again_with_another_row(office: Office) -> None:
    """Its files and its event are made again when that has finished."""
    office.put({"text": "One.", "batch": "letters"})
    office.work()
    batch_id = office.jobs()[0].batch_id
    assert batch_id is not None
    with office.database.begin() as connection:
        now = office.database.now(connection)
        connection.execute(Batch.__table__.update().values(finished_at=now, results_uri="x"))  # type: ignore[attr-defined]
    office.put({"text": "Two.", "batch": "letters"})
    office.work()
    with office.database.read() as connection:
        record = batches.by_id(connection, batch_id)
    assert record is not None
    assert (record.total, record.finished_at, record.results_uri) == (2, None, None)


def test_a_repeated_row_of_a_batch_is_no_second_use_of_its_name(office: Office) -> None:
    """At-least-once producers insert rows again with the same key."""
    row = {"text": "One.", "custom_id": "a", "batch": "letters", "idempotency_key": "k"}
    office.put(row, row)
    office.work()
    office.put(row)
    office.work()
    assert office.faults() == []
    assert len(office.jobs()) == 1


@pytest.mark.parametrize("field", ["callback_url", "webhook_url"])
def test_a_callback_gets_its_secret(office: Office, field: str) -> None:
    """As by HTTP, an endpoint of the tenant stands for its callback addresses."""
    office.put({"text": "Hello.", "tenant": "shop", field: "https://shop.example/done"})
    office.work()
    with office.database.read() as connection:
        assert connection.execute(select(Job.callback_url)).scalar_one() == "https://shop.example/done"
        assert connection.execute(select(Endpoint.tenant, Endpoint.url)).one() == ("shop", None)


def test_the_text_leaves_the_row_with_the_job(office: Office) -> None:
    """A refused row keeps it, so that its producer can see what it wrote."""
    office.put({"text": "Private."}, {"text": ""})
    office.work()
    with office.database.read() as connection:
        found = connection.execute(text("SELECT request FROM inbox ORDER BY number")).scalars().all()
    assert found[0] == ""
    assert "text" in found[1]
