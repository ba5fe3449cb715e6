"""Deliveries of webhooks: every event arrives at least once, whatever the receiver does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from api_models.happenings import Happening
from tests.factories import NOW, add_job
from tests.integration.webhooks.harness import (
    WebhookHarness,
    add_endpoint,
    ids,
    record_events,
    states,
    subjects,
    types,
)
from tests.receiver import Receiver, drip, hang, reset, status
from worker.store.database import Database
from worker.store.outbox import deliveries, delivery_runs, endpoints
from worker.store.queries import filters
from worker.store.tables.webhooks import Delivery
from worker.store.transitions import (
    actions,
)
from worker.webhooks import backoff, signatures
from worker.webhooks.addresses import Allowed
from worker.webhooks.delivery import LEASE_SECONDS
from worker.webhooks.relay import MAX_EACH


class TestDelivery:
    """From the event to the receiver."""

    def test_a_message_is_what_standard_webhooks_asks_for(self, database: Database) -> None:
        """The specification's own library takes it, and finds the event in it."""
        with Receiver() as receiver:
            endpoint = add_endpoint(database, receiver.url)
            record_events(database, *ids(1))
            assert WebhookHarness(database).work() == 1
            message = receiver.messages[0]
        content = Webhook(endpoint.secret).verify(message.body, message.headers)
        assert content == {"type": "job.failed", "timestamp": "2026-11-21T10:00:00Z", "data": {"id": ids(1)[0]}}
        assert message.headers["content-type"] == "application/json"

    def test_while_a_secret_changes_both_are_good(self, database: Database) -> None:
        """Until the old one expires."""
        with Receiver() as receiver:
            endpoint = add_endpoint(database, receiver.url)
            harness, fresh = WebhookHarness(database), signatures.new_secret()
            with database.begin() as connection:
                until = database.now(connection) + timedelta(hours=24)
                endpoints.rotate(connection, endpoint, fresh_secret=fresh, both_until=until)
            record_events(database, ids(1)[0])
            harness.work()
            harness.advance(timedelta(hours=25))
            record_events(database, ids(2)[1])
            harness.work()
            first, second = receiver.messages
        for secret in (endpoint.secret, fresh):
            Webhook(secret).verify(first.body, first.headers)
        assert len(second.headers["webhook-signature"].split()) == 1
        Webhook(fresh).verify(second.body, second.headers)

    def test_everybody_hears_what_they_asked_for_and_no_more(self, database: Database) -> None:
        """By type and by tenant; account events reach every endpoint; a thin message holds only its subject."""
        with Receiver() as all_of_it, Receiver() as some, Receiver() as others:
            add_endpoint(database, all_of_it.url, thin=True)
            add_endpoint(database, some.url, events="job.succeeded account.held")
            add_endpoint(database, others.url, tenant="globex")
            record_events(database, *ids(1))
            record_events(database, "account", kind=Happening.ACCOUNT_HELD, tenant=None)
            record_events(database, "x", kind="something.internal")
            WebhookHarness(database).work()
        assert subjects(all_of_it) == [ids(1)[0], "account"]
        assert subjects(some) == subjects(others) == ["account"]
        assert set(all_of_it.messages[0].json["data"]) == {"id"}

    def test_a_callback_address_hears_of_its_own_job_alone(self, database: Database) -> None:
        """And is signed for with the tenant's secret for callbacks."""
        with Receiver() as receiver:
            with database.begin() as connection:
                endpoints.callbacks(connection, "acme", fresh_secret=signatures.new_secret(), now=NOW)
                endpoints.callbacks(connection, "acme", fresh_secret=signatures.new_secret(), now=NOW)
                (endpoint,) = endpoints.listed(connection)
                mine = add_job(connection, tenant="acme", notify=True, callback_url=receiver.url + "/mine")
                add_job(connection, tenant="acme", notify=True)
                actions.cancel(connection, filters.selection(), now=NOW)
            WebhookHarness(database).work()
            (message,) = receiver.messages
        assert message.path == "/hook/mine"
        assert message.json["data"]["id"] == str(mine)
        Webhook(endpoint.secret).verify(message.body, message.headers)

    @pytest.mark.parametrize(
        "failure", [status(500), status(302, Location="http://127.0.0.1:9/"), status(404), reset, hang, drip]
    )
    def test_a_failing_receiver_gets_everything_later(self, database: Database, failure: Callable[..., None]) -> None:
        """Whatever the receiver's error, each event arrives under its original id."""
        with Receiver(answers=[failure, failure]) as receiver:
            add_endpoint(database, receiver.url)
            record_events(database, *ids(2))
            harness = WebhookHarness(database, whole_seconds=0.4)
            assert harness.work() == 2
            assert states(database) == ["pending", "pending"]
            assert harness.work() == 0, "not before its time"
            harness.advance(timedelta(minutes=1))
            assert harness.work() == 2
        assert states(database) == ["delivered", "delivered"]
        assert sorted(subjects(receiver)) == sorted(ids(2) * 2)
        assert len({message.id for message in receiver.messages}) == 2

    def test_a_receiver_that_is_down_for_an_hour_gets_everything_in_order(self, database: Database) -> None:
        """One at a time: what comes later waits behind what can't be delivered yet."""
        with Receiver(otherwise=status(503)) as receiver:
            add_endpoint(database, receiver.url, ordered=True)
            harness = WebhookHarness(database)
            wanted = ids(6)
            record_events(database, *wanted[:3])
            for minute in range(60):
                if minute == 30:
                    record_events(database, *wanted[3:])
                harness.work()
                harness.advance(timedelta(minutes=1))
            assert set(subjects(receiver)) == {wanted[0]}, "the first is in the way of the others"
            receiver.messages.clear()
            receiver.otherwise = status(200)
            harness.advance(timedelta(hours=1))
            harness.work()
            assert subjects(receiver) == wanted
        assert states(database) == ["delivered"] * 6

    def test_nothing_is_lost_with_a_dead_worker(self, database: Database) -> None:
        """A message that got lost, and a worker that died before and after its request: it is sent again, in order."""
        with Receiver() as receiver:
            add_endpoint(database, receiver.url, ordered=True)
            record_events(database, *ids(2))
            harness = WebhookHarness(database)
            harness.relay.run_once()
            harness.posted.clear()  # the broker died
            harness.advance(timedelta(seconds=LEASE_SECONDS + 1))
            harness.relay.run_once()
            harness.relay.run_once()
            (due,) = harness.posted
            with database.begin() as connection:  # the worker died with it in hand
                lease = database.now(connection) + timedelta(seconds=LEASE_SECONDS)
                assert delivery_runs.claim(connection, due, lease_until=lease) is not None
            harness.posted.clear()
            assert harness.work() == 0
            harness.advance(timedelta(seconds=LEASE_SECONDS + 1))
            assert harness.work() == 2
        assert subjects(receiver) == ids(2)
        assert states(database) == ["delivered"] * 2

    def test_a_message_that_comes_twice_is_one_request(self, database: Database) -> None:
        """The second finds nothing to do."""
        with Receiver() as receiver:
            add_endpoint(database, receiver.url)
            record_events(database, *ids(1))
            harness = WebhookHarness(database)
            harness.relay.run_once()
            (due,) = harness.posted
            for _ in range(3):
                harness.deliverer.run(due)
        assert len(receiver.messages) == 1

    def test_a_receiver_that_hangs_holds_up_no_other(self, database: Database) -> None:
        """Concurrent deliveries to one endpoint are limited."""
        add_endpoint(database, "http://127.0.0.1:9/slow")
        quick = add_endpoint(database, "http://127.0.0.1:9/quick", events="job.cancelled")
        record_events(database, *ids(40))
        record_events(database, *ids(1), kind=Happening.JOB_CANCELLED)
        harness = WebhookHarness(database)
        while harness.relay.run_once():
            pass
        assert len(harness.posted) == MAX_EACH + 1
        with database.read() as connection:
            to = connection.execute(select(Delivery.endpoint_id).where(Delivery.id == harness.posted[-1].id)).scalar()
            other = connection.execute(select(Delivery.endpoint_id).where(Delivery.id == harness.posted[0].id)).scalar()
        assert quick.id in {to, other}

    def test_a_pause_that_is_asked_for_is_kept(self, database: Database) -> None:
        """`Retry-After` in seconds."""
        with Receiver(answers=[status(429, Retry_After="7200")]) as receiver:
            add_endpoint(database, receiver.url)
            record_events(database, *ids(1))
            harness = WebhookHarness(database)
            harness.work()
            harness.advance(timedelta(minutes=115))
            assert harness.work() == 0
            harness.advance(timedelta(minutes=6))
            assert harness.work() == 1
        assert states(database) == ["delivered"]

    def test_410_disables_the_endpoint(self, database: Database) -> None:
        """It is said once, as an event, and nothing more is sent."""
        with Receiver(otherwise=status(410)) as receiver:
            endpoint = add_endpoint(database, receiver.url, ordered=True)
            record_events(database, *ids(3))
            harness = WebhookHarness(database)
            assert harness.work() == 1
            assert harness.work() == 0
        assert states(database) == ["failed"] * 3
        assert types(database)[-1] == "endpoint.disabled"
        with database.read() as connection:
            found = endpoints.by_id(connection, endpoint.id)
        assert found is not None
        assert "410" in str(found.disabled_why)

    def test_an_endpoint_at_which_nothing_arrives_for_days_is_disabled(self, database: Database) -> None:
        """One success in between resets the count."""
        with Receiver(otherwise=status(500)) as receiver:
            endpoint = add_endpoint(database, receiver.url)
            harness = WebhookHarness(database)
            for day in range(4):
                record_events(database, str(UUID(int=day + 1)))
                harness.work()
                harness.advance(timedelta(days=1))
            receiver.answers = [status(200)]
            harness.work()
            for day in range(6):
                record_events(database, str(UUID(int=day + 10)))
                harness.work()
                harness.advance(timedelta(days=1))
            harness.work()
            with database.read() as connection:
                found = endpoints.by_id(connection, endpoint.id)
        assert found is not None
        assert str(found.disabled_why).startswith("no delivery has succeeded since")
        assert types(database).count("endpoint.disabled") == 1

    def test_it_is_given_up_after_the_last_try(self, database: Database) -> None:
        """And can be sent once more by hand: with the same id, to be known again."""
        with Receiver(otherwise=status(500)) as receiver:
            endpoint = add_endpoint(database, receiver.url)
            record_events(database, *ids(1))
            harness = WebhookHarness(database)
            for _ in range(backoff.MAX_TRIES):
                harness.work()
                with database.begin() as connection:
                    endpoints.change(connection, endpoint.id, {"failing_since": None})
                harness.advance(timedelta(days=1))
            assert states(database) == ["failed"]
            assert harness.work() == 0
            receiver.otherwise = status(200)
            with database.begin() as connection:
                now = database.now(connection)
                which = deliveries.between(endpoint.id, now - timedelta(days=30), now + timedelta(days=1))
                assert deliveries.redeliver(connection, which, now=now) == 1
            harness.work()
            assert states(database) == ["delivered"]
            assert len({message.id for message in receiver.messages}) == 1
            with database.read() as connection:
                (record,) = deliveries.listed(connection, tenant="acme", most=10)
                tries = deliveries.tries(connection, record.id)
        assert len(tries) == backoff.MAX_TRIES + 1
        assert [outcome.status for outcome in tries[-2:]] == [500, 200]
        assert "webhook-signature" not in tries[0].request

    def test_nothing_is_sent_inward(self, database: Database) -> None:
        """A loopback receiver that isn't permitted is never connected to, whichever way it was added."""
        with Receiver() as receiver:
            add_endpoint(database, receiver.url)
            record_events(database, *ids(1))
            WebhookHarness(database, allowed=Allowed()).work()
            assert receiver.messages == []
        with database.read() as connection:
            (record,) = deliveries.listed(connection, most=10)
            (only,) = deliveries.tries(connection, record.id)
        assert only.status is None
        assert "not on the public internet" in str(only.error)
