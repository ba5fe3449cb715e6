"""What is done from the pages beside jobs: keys, webhooks, schedules, trying a text; and each is logged."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import insert, select
from uuid_utils.compat import uuid7

from api_models.access import Scope
from tests.console_site import TENANT, Browser, signed_in_by_key
from tests.factories import NOW
from tests.gateway import Client, Running
from worker.store import schedules
from worker.store.access import api_keys
from worker.store.database import Database
from worker.store.outbox import endpoints
from worker.store.outbox.endpoints import EndpointRecord
from worker.store.schedules import ScheduleRecord
from worker.store.tables.console import ConsoleAction
from worker.store.tables.jobs import Job
from worker.store.tables.webhooks import Delivery, DeliveryTry, EventRow


def logged(database: Database) -> list[str]:
    """The actions, oldest first, without the sign-in."""
    with database.read() as connection:
        rows = connection.execute(select(ConsoleAction.action).order_by(ConsoleAction.id)).scalars()
        return [action for action in rows if action != "sign in"]


def test_a_key_is_revoked(site: Running, operator: Browser) -> None:
    """It stops working, and the key itself is on no page."""
    client = site.client(TENANT)
    assert client.get("/v1/jobs").status == 200
    page = operator.get("/console/keys")
    assert str(client.key)[:12] in page.text
    assert str(client.key) not in page.text
    form = next(form for form in page.forms if form.action.endswith("/revoke"))
    assert "The key is revoked" in operator.submit(page, form.action).text
    with site.gateway.database.read() as connection:
        assert api_keys.by_key(connection, str(client.key)) is None
    assert logged(site.gateway.database) == ["revoke key"]


def deliver(database: Database) -> str:
    """Add a disabled endpoint with a failed delivery; the delivery's id."""
    delivery_id, endpoint_id = uuid7(), uuid7()
    with database.begin() as connection:
        record = EndpointRecord(
            id=endpoint_id,
            tenant=TENANT,
            url="https://app.example.com/hook",
            secret="whsec_c2VjcmV0",
            old_secret="whsec_b2xk",
            old_secret_until=None,
            events="",
            ordered=False,
            thin=False,
            created_at=NOW,
            failing_since=NOW,
            disabled_at=NOW,
            disabled_why="It failed for days.",
        )
        endpoints.add(connection, record)
        event = {"id": 1, "at": NOW, "type": "job.failed", "tenant": TENANT, "subject": "x", "data": "{}"}
        connection.execute(insert(EventRow).values(event))
        connection.execute(
            insert(Delivery).values(
                id=delivery_id,
                tenant=TENANT,
                endpoint_id=endpoint_id,
                event_id=1,
                state="failed",
                attempts=1,
                created_at=NOW,
                finished_at=NOW,
            )
        )
        connection.execute(
            insert(DeliveryTry).values(
                delivery_id=delivery_id,
                number=1,
                at=NOW,
                seconds=0.2,
                status=503,
                request=json.dumps({"webhook-id": "x"}),
                response="<b>busy</b>",
            )
        )
    return str(delivery_id)


def test_a_delivery_is_sent_again(site: Running, operator: Browser) -> None:
    """Once its endpoint is enabled; the response is shown as text, and no secret is."""
    path = f"/console/webhooks/deliveries/{deliver(site.gateway.database)}"
    page = operator.get(path)
    assert "&lt;b&gt;busy&lt;/b&gt;" in page.text
    assert operator.submit(page, "/redeliver").status == 409
    listing = operator.get("/console/webhooks?state=failed")
    assert "whsec_" not in listing.text + page.text
    form = next(form for form in listing.forms if form.action.endswith("/enable"))
    assert "The endpoint is enabled." in operator.submit(listing, form.action).text
    assert "will be sent again" in operator.submit(operator.get(path), "/redeliver").text
    assert logged(site.gateway.database) == ["enable endpoint", "redeliver"]


def test_a_schedule_is_paused_and_resumed(site: Running, operator: Browser) -> None:
    """By its name; it is due again at its next time."""
    database = site.gateway.database
    due = NOW + timedelta(days=1)
    record = ScheduleRecord(TENANT, 'late "news"', "30 5 * * *", "UTC", "texts.csv", "{}", 60, NOW, due)
    with database.begin() as connection:
        schedules.add(connection, record)
    paused = operator.submit(operator.get("/console/schedules"), "/pause")
    assert "Paused." in paused.text
    assert "Resumed." in operator.submit(paused, "/resume").text
    with database.read() as connection:
        found = schedules.by_name(connection, TENANT, record.name)
    assert found is not None
    assert (found.paused_at, found.next_due_at is not None) == (None, True)
    assert logged(database) == ["pause schedule", "resume schedule"]


def test_a_text_is_quoted_before_it_is_bought(site: Running, operator: Browser) -> None:
    """The first form shows the price; only the confirmation of that price submits."""
    database = site.gateway.database
    page = operator.get("/console/try")
    quoted = operator.submit(page, "/console/try", text="The ferry leaves.", voice="Kore")
    assert "Speak it for $0.0067" in quoted.text
    with database.read() as connection:
        assert connection.execute(select(Job.id)).first() is None
    job = operator.submit(quoted, "/console/try")
    assert "The ferry leaves." in job.text
    with database.read() as connection:
        rows = connection.execute(select(Job.tenant, Job.text, Job.voice_1)).all()
    assert [tuple(row) for row in rows] == [(TENANT, "The ferry leaves.", "Kore")]
    assert logged(database) == ["try"]


@pytest.mark.parametrize("fields", [{"text": ""}, {"voice": "Unknown"}, {"model": "other"}, {"text": "…"}])
def test_a_faulty_text_is_refused_with_its_form(operator: Browser, fields: dict[str, str]) -> None:
    """What was typed stays."""
    answer = operator.submit(operator.get("/console/try"), "/console/try", **{"text": "Good evening.", **fields})
    assert answer.status == 400
    assert 'role="alert"' in answer.text


def test_a_keys_budget_bounds_what_is_tried(site: Running) -> None:
    """Its jobs belong to the key, as over the API."""
    database = site.gateway.database
    browser, key = signed_in_by_key(site, Scope.READ, Scope.SUBMIT)
    page = browser.get("/console/try")
    quoted = browser.submit(page, "/console/try", text="The ferry leaves.", voice="Kore")
    assert browser.submit(quoted, "/console/try").status == 200
    with database.read() as connection:
        record = api_keys.by_key(connection, key)
        assert record is not None
        assert connection.execute(select(Job.key_id)).scalars().all() == [record.id]
    assert Client(site.address, key).get("/v1/jobs").status == 200
