"""Documents and their parts as rows: what moves a document on, and what applies to it with all its parts."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, update

from api_models.speech import JobRequest
from api_models.status import JobStatus
from tests.factories import NOW, stored
from tests.long_texts import paragraphs
from worker.maintenance.document_keeper import DocumentKeeper, failure
from worker.producer import content_of, job_row
from worker.producer import documents as producer
from worker.store import documents
from worker.store.database import Database
from worker.store.queries import filters, jobs
from worker.store.tables.jobs import Job
from worker.store.transitions import actions, purges
from worker.store.transitions import documents as transitions

ORIGIN = "https://api"
TEXT = paragraphs(4)
PARTS = len(producer.plan_of(JobRequest.model_construct(text=TEXT), None).parts)


@pytest.fixture
def document(database: Database) -> UUID:
    with database.begin() as connection:
        return submitted(connection)


def submitted(connection: Connection, **fields: Any) -> UUID:  # noqa: ANN401 - any field of a request
    request = JobRequest.model_construct(**{"text": TEXT, "custom_id": "book"} | fields)
    row = job_row(request, batch_id=None, line=None, now=NOW, tenant="default", origin=ORIGIN)
    content = partial(content_of, tenant="default", origin=ORIGIN)
    rows = producer.document_rows(row, request, producer.plan_of(request, None), content)
    producer.submit(connection, [rows])
    found: UUID = row["id"]
    return found


def end(connection: Connection, which: UUID, status: JobStatus, *, first: int = 1, last: int = PARTS) -> None:
    audio = {"uri": "file:///a", "sha256": "0" * 64} if status is JobStatus.SUCCEEDED else {"code": "bad_audio"}
    values = {"status": status, "finished_at": NOW, "attempt": 1, "cost": 1, "message": "It is silent."}
    parts = (Job.parent == which) & Job.part.between(first, last)
    connection.execute(update(Job).where(parts).values(**values, **audio))


def advance(database: Database, now: timedelta = timedelta(0)) -> int:
    with database.begin() as connection:
        found = transitions.waiting(connection)
        failures = {one.row.id: failure(connection, one.row.id) for one in found if one.has_failed}
        return transitions.advance(connection, found, failures, now=NOW + now)


def test_a_document_waits_for_its_last_part(database: Database, document: UUID) -> None:
    with database.begin() as connection:
        end(connection, document, JobStatus.SUCCEEDED, last=PARTS - 1)
    assert advance(database) == 0
    with database.begin() as connection:
        row = stored(connection, document)
        assert (row.status, row.cost, row.started_at) == (JobStatus.SCHEDULED, PARTS - 1, NOW)
        end(connection, document, JobStatus.SUCCEEDED)
    assert not DocumentKeeper(database).run_once()
    with database.read() as connection:
        row = stored(connection, document)
        assert (row.status, row.cost, row.not_before) == (JobStatus.QUEUED, PARTS, None)
        assert jobs.counts(connection, jobs.all_jobs()).by_status == {JobStatus.QUEUED: 1}
        spoken = filters.spoken(connection, jobs.all_jobs())
        assert jobs.counts(connection, spoken).by_status == {JobStatus.SUCCEEDED: PARTS}


def test_a_failed_part_names_its_place_once_the_others_have_ended(database: Database, document: UUID) -> None:
    with database.begin() as connection:
        end(connection, document, JobStatus.FAILED, first=2, last=2)
    assert advance(database) == 0
    with database.begin() as connection:
        end(connection, document, JobStatus.SUCCEEDED, first=1, last=1)
        end(connection, document, JobStatus.SUCCEEDED, first=3)
    assert advance(database) == 1
    with database.begin() as connection:
        row = stored(connection, document)
        assert (row.status, row.code) == (JobStatus.FAILED, "bad_audio")
        assert row.message.startswith(f"Part 2 of {PARTS}, at “")
        assert row.message.endswith("It is silent.")
        assert actions.retry(connection, actions.these([document]), states=[JobStatus.FAILED]) == 1
        assert stored(connection, document).status == JobStatus.SCHEDULED
        states = [part.status for part in documents.chosen(connection, document)]
        assert states.count(JobStatus.QUEUED) == 1
        assert states[1] is JobStatus.QUEUED


def test_a_deadline_applies_to_the_first_part(database: Database) -> None:
    """A document that has begun is finished; one that has not is expired with all its parts, unpaid."""
    with database.begin() as connection:
        begun, late = (submitted(connection, deadline=NOW + timedelta(hours=1)) for _ in range(2))
        end(connection, begun, JobStatus.SUCCEEDED, last=1)
    assert advance(database) == 0
    assert advance(database, timedelta(hours=2)) == 1
    with database.read() as connection:
        assert stored(connection, begun).status == JobStatus.SCHEDULED
        assert stored(connection, late).status == JobStatus.EXPIRED
        assert {part.status for part in documents.chosen(connection, late)} == {JobStatus.EXPIRED}


def test_priority_and_removal_apply_to_all_parts(database: Database, document: UUID) -> None:
    with database.begin() as connection:
        assert actions.prioritise(connection, actions.these([document]), 7) == 1
        assert {stored(connection, part.id).priority for part in documents.parts(connection, document)} == {7}
        assert actions.cancel(connection, jobs.all_jobs(), now=NOW) == 1
        due, unfinished = purges.ask(connection, filters.selection(job_ids=[document]), now=NOW)
        assert (due, unfinished) == (1 + PARTS, 0)


def test_a_part_that_is_bought_again_replaces_its_job(database: Database, document: UUID) -> None:
    with database.begin() as connection:
        end(connection, document, JobStatus.SUCCEEDED)
        old = documents.chosen(connection, document)[1]
        (new,) = documents.buy_again(connection, [old.id])
        found = [part for part in documents.parts(connection, document) if part.part == old.part]
        assert [(part.id, part.chosen, part.status) for part in found] == [
            (old.id, False, JobStatus.SUCCEEDED),
            (new, True, JobStatus.QUEUED),
        ]
        assert stored(connection, new).fingerprint == stored(connection, old.id).fingerprint
    assert advance(database) == 0


@pytest.mark.usefixtures("document")
def test_the_latest_document_of_a_name_is_found(database: Database) -> None:
    with database.read() as connection:
        shares = producer.previous_shares(connection, "default", "book", None)
        assert "".join(shares) == TEXT
        assert producer.previous_shares(connection, "default", "other", None) == ()
        assert producer.previous_shares(connection, "default", "book", "file:///elsewhere") == ()
