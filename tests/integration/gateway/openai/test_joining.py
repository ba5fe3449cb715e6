"""Requests that are repeated: one job for all, in whichever process; cancelled when the last client leaves."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import select, update

from api_models.status import JobStatus
from tests.factories import NOW, add_attempt, job_row, stored
from tests.gateway import Client, Running, running
from tests.speaking import SPEECH
from worker.store.access import joined_requests
from worker.store.database import Database
from worker.store.tables.access import ApiKey, JoinedRequest
from worker.store.tables.jobs import Job

ASKED = {"model": "tts-1", "voice": "alloy", "input": "The ferry leaves at ten."}


@pytest.fixture
def two(database: Database) -> Iterator[list[Running]]:
    """Two gateways on one database, without a worker, once on each kind of database."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(database, TTSQ_OPENAI_HOLD_SECONDS="1")) for _ in range(2)]


def waiting(client: Client, body: Any = None) -> http.client.HTTPConnection:  # noqa: ANN401 - any JSON
    """A request that is under way."""
    place = urlsplit(client.address)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=30)
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json"}
    connection.request("POST", SPEECH, json.dumps(body or ASKED), headers)
    return connection


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another process or thread does."""
    deadline = time.monotonic() + 20
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        pause.wait(0.01)


def jobs(database: Database) -> list[Any]:
    """All jobs, as rows."""
    with database.read() as connection:
        return list(connection.execute(select(Job.id, Job.status, Job.code).order_by(Job.id)).all())


def clients(database: Database) -> int:
    """How many are counted as waiting."""
    with database.read() as connection:
        return sum(connection.execute(select(JoinedRequest.clients)).scalars())


def test_equal_requests_of_a_key_make_one_job(two: list[Running], database: Database) -> None:
    """Sixteen at once, spread over two processes."""
    key = two[0].client().key
    clients = [Client(gateway.address, key) for gateway in two] * 8
    with ThreadPoolExecutor(len(clients)) as pool:
        replies = list(pool.map(lambda client: client.post(SPEECH, ASKED), clients))
    assert {reply.status for reply in replies} == {503}
    assert len({reply.headers["x-ttsq-job-id"] for reply in replies}) == 1
    assert len(jobs(database)) == 1


def test_other_keys_and_other_texts_are_not_joined(two: list[Running], database: Database) -> None:
    """A job belongs to the key that pays for it."""
    first, second = two[0].client(), two[1].client()
    for client, text in ((first, "One."), (second, "One."), (first, "Two.")):
        client.post(SPEECH, {**ASKED, "input": text})
    assert len(jobs(database)) == 3


def test_formats_and_speeds_are_one_content(two: list[Running], database: Database) -> None:
    """What is only encoded differently is bought once."""
    client = two[0].client()
    for change in ({}, {"response_format": "flac"}, {"speed": 1.5}, {"stream_format": "sse"}):
        client.post(SPEECH, {**ASKED, **change})
    assert len(jobs(database)) == 1


def test_the_last_client_that_leaves_cancels_the_job(two: list[Running], database: Database) -> None:
    """One of two leaves: it stays. Both have left, in different processes: it is cancelled, unpaid."""
    key = two[0].client().key
    with closing(waiting(Client(two[0].address, key))) as one, closing(waiting(Client(two[1].address, key))) as other:
        until(lambda: bool(jobs(database)) and clients(database) == 2)
        one.close()
        until(lambda: clients(database) == 1)
        assert jobs(database)[0].status == JobStatus.QUEUED
        other.close()
        until(lambda: jobs(database)[0].status == JobStatus.CANCELLED)
    assert jobs(database)[0].code == "client_left"
    again = Client(two[0].address, key).post(SPEECH, ASKED)
    assert again.headers["x-ttsq-job-id"] != str(jobs(database)[0].id)


def test_a_job_that_runs_is_kept_for_the_retry(two: list[Running], database: Database) -> None:
    """Its call may be paid: it continues without its client, and the repeated request joins it."""
    client = two[0].client()
    with closing(waiting(client)) as connection:
        until(lambda: clients(database) == 1)
        with database.begin() as transaction:
            values = {"status": JobStatus.RUNNING, "worker_id": UUID(int=5), "attempt": 1}
            transaction.execute(update(Job).values(**values))
        connection.close()
        until(lambda: clients(database) == 0)
    assert [job.status for job in jobs(database)] == [JobStatus.RUNNING]
    client.post(SPEECH, ASKED)
    assert len(jobs(database)) == 1


@pytest.mark.parametrize(
    ("columns", "minutes", "joins"),
    [
        ({"status": JobStatus.QUEUED}, 600, True),
        ({"status": JobStatus.SUCCEEDED}, 600, True),
        ({"status": JobStatus.SUCCEEDED, "purged_at": NOW}, 1, False),
        ({"status": JobStatus.CANCELLED}, 1, False),
        ({"status": JobStatus.FAILED, "cost": Decimal(0)}, 1, False),
        ({"status": JobStatus.FAILED, "cost": Decimal("0.01")}, 14, True),
        ({"status": JobStatus.FAILED, "cost": Decimal("0.01")}, 16, False),
    ],
)
def test_which_jobs_answer_a_repeated_request(
    database: Database, columns: dict[str, Any], minutes: int, joins: bool
) -> None:
    """One that may still bring audio, or has it, or was paid for a short while ago."""
    first, second = job_row(tenant="acme"), job_row(tenant="acme")
    second["fingerprint"] = first["fingerprint"]
    with database.begin() as connection:
        made = joined_requests.attach(
            connection, {**job_row(tenant="acme", **columns), **keep(first)}, caller="k", now=NOW
        )
        again = joined_requests.attach(connection, second, caller="k", now=NOW + timedelta(minutes=minutes))
    assert made.is_new
    assert again.is_new is not joins
    assert (again.job_id == made.job_id) is joins


def keep(row: dict[str, Any]) -> dict[str, Any]:
    """What identifies the content."""
    return {"fingerprint": row["fingerprint"]}


def test_a_failure_that_may_have_been_billed_is_not_bought_again(database: Database) -> None:
    """No cost was reported and the bill is unknown: treated as paid."""
    row = job_row(tenant="acme", status=JobStatus.FAILED)
    with database.begin() as connection:
        joined_requests.attach(connection, row, caller="k", now=NOW)
        add_attempt(connection, job_id=row["id"], cost=Decimal(0), possibly_billed=True)
        again = joined_requests.attach(
            connection, {**job_row(tenant="acme"), **keep(row)}, caller="k", now=NOW + timedelta(minutes=1)
        )
    assert not again.is_new


def test_a_job_with_a_call_that_may_be_billed_is_not_cancelled(database: Database) -> None:
    """It waits for its next attempt, which will find the first one's audio or its request."""
    row = job_row(tenant="acme", attempt=1)
    with database.begin() as connection:
        joined = joined_requests.attach(connection, row, caller="k", now=NOW)
        add_attempt(connection, job_id=row["id"], possibly_billed=True)
        assert not joined_requests.leave(connection, joined, now=NOW, cancels=True)
        assert stored(connection, row["id"]).status == JobStatus.QUEUED


def test_a_key_that_is_revoked_meanwhile_gets_no_audio(database: Database) -> None:
    """It was valid when the request began to wait."""
    with running(database, TTSQ_OPENAI_HOLD_SECONDS="60") as gateway:
        client = gateway.client()
        with closing(waiting(client)) as connection:
            until(lambda: clients(database) == 1)
            with database.begin() as transaction:
                transaction.execute(update(ApiKey).values(revoked_at=NOW))
            gateway.gateway.keyring.clock = lambda: time.monotonic() + 60
            with database.begin() as transaction:
                done = {"status": JobStatus.SUCCEEDED, "uri": "file:///a.wav", "sha256": "a" * 64, "finished_at": NOW}
                transaction.execute(update(Job).values(**done))
            assert connection.getresponse().status == 401


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_a_revoked_key_does_not_wait_for_its_audio(database: Database, stream_format: str) -> None:
    """It gets 401 while the job still waits, and a job that only it has waited for is cancelled unpaid."""
    with running(database, TTSQ_OPENAI_HOLD_SECONDS="60") as gateway:
        with closing(waiting(gateway.client(), {**ASKED, "stream_format": stream_format})) as connection:
            until(lambda: clients(database) == 1)
            with database.begin() as transaction:
                transaction.execute(update(ApiKey).values(revoked_at=NOW))
            gateway.gateway.keyring.clock = lambda: time.monotonic() + 60
            answer = connection.getresponse()
            assert (answer.status, answer.headers["content-type"]) == (401, "application/json")
        assert jobs(database)[0].status == JobStatus.CANCELLED
