"""Flat messages, and the shared secret of receivers that verify no signatures."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from api_models.event_samples import SAMPLES, message
from api_models.happenings import Happening
from api_models.status import JobStatus
from tests.factories import NOW, add_batch, add_job
from tests.integration.webhooks.harness import WebhookHarness, add_endpoint, ids, record_events
from tests.receiver import Answer, Receiver, status
from worker.store.database import Database
from worker.store.outbox import endpoints
from worker.store.queries import filters
from worker.store.tables.webhooks import DeliveryTry
from worker.store.transitions import actions, event_writer
from worker.webhooks import signatures
from worker.webhooks.sender import KEPT_CHARACTERS

SECRET = "a-shared-secret-of-32-characters"


def echo(padding: int) -> Answer:
    """Answer with the request's own headers, as debugging receivers do, after that many characters."""

    def answer(handler: object) -> None:
        body = ("." * padding + str(dict(handler.headers))).encode()  # type: ignore[attr-defined]
        handler.send_response(500)  # type: ignore[attr-defined]
        handler.send_header("content-length", str(len(body)))  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        handler.wfile.write(body)  # type: ignore[attr-defined]

    return answer


def test_a_flat_message_has_its_fields_twice(database: Database) -> None:
    """At the first level, and in `data`; a receiver of either form reads it."""
    with Receiver() as plain, Receiver() as receiver:
        endpoint = add_endpoint(database, receiver.url, flat=True)
        add_endpoint(database, plain.url)
        record_events(database, *ids(1))
        WebhookHarness(database).work()
        assert set(plain.messages[0].json) == {"type", "timestamp", "data"}
        found = receiver.messages[0]
    assert found.json == {**plain.messages[0].json, "id": ids(1)[0]}
    Webhook(endpoint.secret).verify(found.body, found.headers)


@pytest.mark.parametrize("state", [JobStatus.SUCCEEDED, JobStatus.FAILED])
def test_a_callback_is_flat_and_has_the_fields_of_the_sample(database: Database, state: JobStatus) -> None:
    """What a tool was shown before the first event is what it receives."""
    with Receiver() as receiver:
        with database.begin() as connection:
            endpoints.callbacks(connection, "acme", fresh_secret=signatures.new_secret(), now=NOW)
            job = add_job(connection, tenant="acme", status=state, notify=True, callback_url=receiver.url)
            event_writer.ended(connection, [job], now=NOW)
        WebhookHarness(database).work()
        found = receiver.messages[0].json
    kind = Happening(f"job.{state}")
    assert set(found) == set(message(kind, SAMPLES[kind]))
    assert found["id"] == found["data"]["id"] == str(job)
    assert found["audio_url"] == (f"/v1/jobs/{job}/audio" if state is JobStatus.SUCCEEDED else None)


def test_a_finished_batch_has_the_fields_of_the_sample(database: Database) -> None:
    """Counts are flat too."""
    with Receiver() as receiver:
        add_endpoint(database, receiver.url, flat=True)
        with database.begin() as connection:
            batch = add_batch(connection, tenant="acme")
            add_job(connection, tenant="acme", batch_id=batch, status=JobStatus.SUCCEEDED)
            event_writer.finished(connection, batch, now=NOW)
        WebhookHarness(database).work()
        found = receiver.messages[0].json
    assert set(found) == set(message(Happening.BATCH_FINISHED, SAMPLES[Happening.BATCH_FINISHED]))
    assert found["counts_succeeded"] == 1


def test_the_shared_secret_is_sent_and_never_kept(database: Database) -> None:
    """Not in the log of deliveries, also where the receiver repeats it, whole or cut off at the end."""
    answers = [echo(padding) for padding in (0, *range(KEPT_CHARACTERS - 250, KEPT_CHARACTERS - 20, 9))]
    count = len(answers)
    with Receiver(answers=answers, otherwise=status(204)) as receiver:
        add_endpoint(database, receiver.url, header_name="X-Webhook-Token", header_value=SECRET)
        record_events(database, *ids(count))
        WebhookHarness(database).work()
        assert {one.headers["x-webhook-token"] for one in receiver.messages} == {SECRET}
        assert len(receiver.messages) == count
    with database.read() as connection:
        kept = connection.execute(select(DeliveryTry.request, DeliveryTry.response)).all()
    assert any("[redacted]" in str(row.response) for row in kept)
    for row in kept:
        assert "token" not in {name.lower() for name in json.loads(row.request)}
        assert SECRET[:4] not in row.request
        assert SECRET[:6] not in str(row.response)


def test_an_endpoint_shows_no_secret(database: Database) -> None:
    """Tracebacks and logs show its id and address."""
    record = add_endpoint(database, "https://example.org/", header_name="X-A", header_value=SECRET)
    assert SECRET not in repr(record)
    assert record.secret not in repr(record)


def test_callbacks_carry_no_shared_secret(database: Database) -> None:
    """Even if one were stored: the addresses are chosen by producers."""
    with Receiver() as receiver:
        with database.begin() as connection:
            endpoints.callbacks(connection, "acme", fresh_secret=signatures.new_secret(), now=datetime.now(UTC))
            (record,) = endpoints.listed(connection)
            endpoints.change(connection, record.id, {"header_name": "X-A", "header_value": SECRET})
            add_job(connection, tenant="acme", notify=True, callback_url=receiver.url)
            actions.cancel(connection, filters.selection(), now=NOW)
        WebhookHarness(database).work()
        assert "x-a" not in receiver.messages[0].headers
