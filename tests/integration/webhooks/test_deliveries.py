"""Webhooks on their way: every event arrives at least once, none is invented, whatever the receiver does."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from standardwebhooks.webhooks import Webhook

from api_models.happenings import Happening
from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from tests.factories import NOW, a_claim, add_batch, add_job, add_worker
from tests.receiver import Receiver, drip, hang, reset, status
from worker.store.database import Database
from worker.store.outbox import deliveries, endpoints, events
from worker.store.outbox.deliveries import Due
from worker.store.outbox.endpoints import EndpointRecord
from worker.store.queries import filters, results
from worker.store.tables.webhooks import Delivery, Endpoint, EventRow
from worker.store.transitions import (
    actions,
    claims,
    completion,
    dispatches,
    rescues,
    settlement,
)
from worker.store.transitions.completion import Conclusion
from worker.store.transitions.settlement import Settlement
from worker.webhooks import backoff, signatures
from worker.webhooks.addresses import Allowed
from worker.webhooks.delivery import LEASE_SECONDS, Deliverer
from worker.webhooks.relay import MAX_EACH, OutboxRelay
from worker.webhooks.sender import Sender

LOOPBACK = Allowed.parse(["127.0.0.0/8"])


class Office:
    """A postman and a deliverer without threads: what is due is delivered by `work`."""

    def __init__(self, database: Database, *, whole_seconds: float = 5.0, allowed: Allowed = LOOPBACK) -> None:
        self.database = database
        self.posted: list[Due] = []
        self.relay = OutboxRelay(database, self._post)
        sender = Sender(allowed, connect_seconds=2.0, whole_seconds=whole_seconds)
        self.deliverer = Deliverer(database, sender, random.Random(7))

    def _post(self, due: Any) -> Any:  # noqa: ANN401 - the postman's own
        self.posted += due
        return ()

    def work(self) -> int:
        """Address and deliver until nothing is due any more; how many requests were made."""
        made = 0
        while True:
            while self.relay.run_once():
                pass
            due, self.posted = self.posted, []
            if not due:
                return made
            for one in due:
                self.deliverer.run(one)
            made += len(due)

    def let_pass(self, time: timedelta) -> None:
        """Move everything that waits so much nearer, as if the time had passed."""
        with self.database.begin() as connection:
            for column in (Delivery.next_at, Endpoint.failing_since, Endpoint.old_secret_until):
                table = column.class_
                rows = connection.execute(select(table.id, column).where(column.is_not(None))).all()
                for row in rows:
                    connection.execute(update(table).where(table.id == row[0]).values({column.key: row[1] - time}))


def an_endpoint(database: Database, url: str | None, **fields: Any) -> EndpointRecord:  # noqa: ANN401 - any field
    """An endpoint that hears of everything of `acme`, unless said otherwise."""
    plain: dict[str, Any] = {
        "id": fields.pop("id", None) or UUID(int=random.getrandbits(127)),
        "tenant": "acme",
        "url": url,
        "secret": signatures.new_secret(),
        "old_secret": None,
        "old_secret_until": None,
        "events": "",
        "ordered": False,
        "thin": False,
        "created_at": NOW,
        "failing_since": None,
        "disabled_at": None,
        "disabled_why": None,
    }
    record = EndpointRecord(**(plain | fields))
    with database.begin() as connection:
        endpoints.add(connection, record)
    return record


def happen(database: Database, *subjects: str, kind: str = Happening.JOB_FAILED, tenant: str | None = "acme") -> None:
    """Events, one after the other."""
    with database.begin() as connection:
        for subject in subjects:
            events.record(connection, kind, subject, {"id": subject}, tenant=tenant, now=NOW)


def ids(count: int) -> list[str]:
    """The ids of jobs that need not exist."""
    return [str(UUID(int=number)) for number in range(1, count + 1)]


def states(database: Database) -> list[str]:
    """Of all deliveries, in the order of their events."""
    with database.read() as connection:
        return list(connection.execute(select(Delivery.state).order_by(Delivery.event_id)).scalars())


def types(database: Database) -> list[str]:
    """Of all events."""
    with database.read() as connection:
        return list(connection.execute(select(EventRow.type).order_by(EventRow.id)).scalars())


def subjects(receiver: Receiver) -> list[str]:
    """What the messages were about, in the order they came."""
    return [message.json["data"]["id"] for message in receiver.messages]


class TestEvents:
    """An event is written in the transaction that finishes a job, if an endpoint subscribes to it."""

    def test_a_job_without_a_subscriber_writes_no_event(self, database: Database) -> None:
        """Neither its producer nor its tenant asked."""
        claim = self._claimed(database, notify=None)
        assert not claim.heard
        self._settle(database, claim)
        assert types(database) == []

    @pytest.mark.parametrize("way", ["settle", "all"])
    def test_a_job_with_a_subscriber_ends_with_an_event(self, database: Database, way: str) -> None:
        """Alone and in a group; given again after a lost answer, it stays one."""
        claim = self._claimed(database, notify=True)
        assert claim.heard
        if way == "settle":
            self._settle(database, claim)
            self._settle(database, claim)
        else:
            with database.begin() as connection:
                settlement.settle_all_at_once(connection, [(claim, self._failed())], now=NOW)
        assert types(database) == ["job.failed"]

    def test_an_endpoint_receives_its_tenants_jobs(self, database: Database) -> None:
        """Also of jobs submitted before it, and of no other tenant's."""
        an_endpoint(database, "https://example.org/")
        assert self._claimed(database, notify=None).heard
        assert not self._claimed(database, notify=None, tenant="globex").heard

    def test_a_transaction_that_fails_leaves_no_event(self, database: Database) -> None:
        """The event is part of it."""
        claim = self._claimed(database, notify=True)

        with database.engine.connect() as connection, connection.begin() as transaction:
            assert settlement.settle(connection, claim, self._failed(), now=NOW)
            transaction.rollback()
        assert types(database) == []

    def test_every_way_to_end_is_an_event(self, database: Database) -> None:
        """Cancelled, expired, and failed because the worker died once too often."""
        with database.begin() as connection:
            cancelled = add_job(connection, notify=True)
            add_job(connection, notify=None)
            add_job(connection, notify=True, deadline=NOW - timedelta(minutes=1))
            worker = add_worker(connection)
            add_job(connection, notify=True, status=JobStatus.RUNNING, worker_id=worker, attempts_used=5)
            assert actions.cancel(connection, filters.selection(job_ids=[cancelled]), now=NOW) == 1
            assert dispatches.expire(connection, now=NOW) == 1
            assert rescues.rescue(connection, [worker], max_attempts=5, now=NOW).failed == 1
        assert types(database) == ["job.cancelled", "job.expired", "job.failed"]

    def test_a_batch_ends_once_after_its_last_job(self, database: Database) -> None:
        """Not before its files are there, not again; and once more when some of it was tried again."""
        with database.begin() as connection:
            batch = add_batch(connection, tenant="acme", notify=True, total=2)
            jobs = [add_job(connection, tenant="acme", batch_id=batch, custom_id=name, notify=True) for name in "ab"]
            for job in jobs:
                actions.cancel(connection, filters.selection(job_ids=[job]), now=NOW)
        assert types(database) == ["job.cancelled", "job.cancelled"]
        assert [self._concluded(database, batch) for _ in range(2)] == [Conclusion.WON, Conclusion.LATE]
        assert types(database) == ["job.cancelled", "job.cancelled", "batch.finished"]
        with database.begin() as connection:
            actions.retry(connection, filters.selection(job_ids=jobs[:1]), states=[JobStatus.CANCELLED])
            actions.cancel(connection, filters.selection(batch_id=batch), now=NOW)
        assert self._concluded(database, batch) is Conclusion.WON
        assert types(database)[3:] == ["job.cancelled", "batch.finished"]
        with database.read() as connection:
            last = json.loads(
                connection.execute(select(EventRow.data).order_by(EventRow.id.desc()).limit(1)).scalar_one()
            )
        assert last["counts"] == {"cancelled": 2}

    @staticmethod
    def _concluded(database: Database, batch: UUID) -> Conclusion:
        with database.begin() as connection:
            standing = results.standing(connection, batch)
            assert standing is not None
            return completion.conclude(connection, batch, standing, results_uri="file:///audio", now=NOW)

    @staticmethod
    def _claimed(database: Database, *, notify: bool | None, tenant: str = "acme") -> claims.Claim:
        with database.begin() as connection:
            job = add_job(connection, tenant=tenant, status=JobStatus.DISPATCHED, notify=notify)
            found = claims.claim(connection, job, 0, worker_id=a_claim().worker_id, now=NOW)
        assert found is not None
        return found

    @staticmethod
    def _failed() -> Settlement:
        return Settlement(JobStatus.FAILED, VerdictKind.REFUSED, code="invalid_request", message="No.")

    def _settle(self, database: Database, claim: claims.Claim) -> None:
        with database.begin() as connection:
            assert settlement.settle(connection, claim, self._failed(), now=NOW)


class TestDelivery:
    """From the event to the receiver."""

    def test_a_message_is_what_standard_webhooks_asks_for(self, database: Database) -> None:
        """The specification's own library takes it, and finds the event in it."""
        with Receiver() as receiver:
            endpoint = an_endpoint(database, receiver.url)
            happen(database, *ids(1))
            assert Office(database).work() == 1
            message = receiver.messages[0]
        content = Webhook(endpoint.secret).verify(message.body, message.headers)
        assert content == {"type": "job.failed", "timestamp": "2026-11-21T10:00:00Z", "data": {"id": ids(1)[0]}}
        assert message.headers["content-type"] == "application/json"

    def test_while_a_secret_changes_both_are_good(self, database: Database) -> None:
        """Until the old one expires."""
        with Receiver() as receiver:
            endpoint = an_endpoint(database, receiver.url)
            office, fresh = Office(database), signatures.new_secret()
            with database.begin() as connection:
                until = database.now(connection) + timedelta(hours=24)
                endpoints.rotate(connection, endpoint, fresh_secret=fresh, both_until=until)
            happen(database, ids(1)[0])
            office.work()
            office.let_pass(timedelta(hours=25))
            happen(database, ids(2)[1])
            office.work()
            first, second = receiver.messages
        for secret in (endpoint.secret, fresh):
            Webhook(secret).verify(first.body, first.headers)
        assert len(second.headers["webhook-signature"].split()) == 1
        Webhook(fresh).verify(second.body, second.headers)

    def test_everybody_hears_what_they_asked_for_and_no_more(self, database: Database) -> None:
        """By type, by tenant; what concerns the account is for everybody; a thin message says only what it is about."""
        with Receiver() as all_of_it, Receiver() as some, Receiver() as others:
            an_endpoint(database, all_of_it.url, thin=True)
            an_endpoint(database, some.url, events="job.succeeded account.held")
            an_endpoint(database, others.url, tenant="globex")
            happen(database, *ids(1))
            happen(database, "account", kind=Happening.ACCOUNT_HELD, tenant=None)
            happen(database, "x", kind="something.internal")
            Office(database).work()
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
            Office(database).work()
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
            an_endpoint(database, receiver.url)
            happen(database, *ids(2))
            office = Office(database, whole_seconds=0.4)
            assert office.work() == 2
            assert states(database) == ["pending", "pending"]
            assert office.work() == 0, "not before its time"
            office.let_pass(timedelta(minutes=1))
            assert office.work() == 2
        assert states(database) == ["delivered", "delivered"]
        assert sorted(subjects(receiver)) == sorted(ids(2) * 2)
        assert len({message.id for message in receiver.messages}) == 2

    def test_a_receiver_that_is_down_for_an_hour_gets_everything_in_order(self, database: Database) -> None:
        """One at a time: what comes later waits behind what can't be delivered yet."""
        with Receiver(otherwise=status(503)) as receiver:
            an_endpoint(database, receiver.url, ordered=True)
            office = Office(database)
            wanted = ids(6)
            happen(database, *wanted[:3])
            for minute in range(60):
                if minute == 30:
                    happen(database, *wanted[3:])
                office.work()
                office.let_pass(timedelta(minutes=1))
            assert set(subjects(receiver)) == {wanted[0]}, "the first is in the way of the others"
            receiver.messages.clear()
            receiver.otherwise = status(200)
            office.let_pass(timedelta(hours=1))
            office.work()
            assert subjects(receiver) == wanted
        assert states(database) == ["delivered"] * 6

    def test_nothing_is_lost_with_a_dead_worker(self, database: Database) -> None:
        """A message that got lost, and a worker that died before and after its request: it is sent again, in order."""
        with Receiver() as receiver:
            an_endpoint(database, receiver.url, ordered=True)
            happen(database, *ids(2))
            office = Office(database)
            office.relay.run_once()
            office.posted.clear()  # the broker died
            office.let_pass(timedelta(seconds=LEASE_SECONDS + 1))
            office.relay.run_once()
            office.relay.run_once()
            (due,) = office.posted
            with database.begin() as connection:  # the worker died with it in hand
                lease = database.now(connection) + timedelta(seconds=LEASE_SECONDS)
                assert deliveries.claim(connection, due, lease_until=lease) is not None
            office.posted.clear()
            assert office.work() == 0
            office.let_pass(timedelta(seconds=LEASE_SECONDS + 1))
            assert office.work() == 2
        assert subjects(receiver) == ids(2)
        assert states(database) == ["delivered"] * 2

    def test_a_message_that_comes_twice_is_one_request(self, database: Database) -> None:
        """The second finds nothing to do."""
        with Receiver() as receiver:
            an_endpoint(database, receiver.url)
            happen(database, *ids(1))
            office = Office(database)
            office.relay.run_once()
            (due,) = office.posted
            for _ in range(3):
                office.deliverer.run(due)
        assert len(receiver.messages) == 1

    def test_a_receiver_that_hangs_holds_up_no_other(self, database: Database) -> None:
        """Concurrent deliveries to one endpoint are limited."""
        an_endpoint(database, "http://127.0.0.1:9/slow")
        quick = an_endpoint(database, "http://127.0.0.1:9/quick", events="job.cancelled")
        happen(database, *ids(40))
        happen(database, *ids(1), kind=Happening.JOB_CANCELLED)
        office = Office(database)
        while office.relay.run_once():
            pass
        assert len(office.posted) == MAX_EACH + 1
        with database.read() as connection:
            to = connection.execute(select(Delivery.endpoint_id).where(Delivery.id == office.posted[-1].id)).scalar()
            other = connection.execute(select(Delivery.endpoint_id).where(Delivery.id == office.posted[0].id)).scalar()
        assert quick.id in {to, other}

    def test_a_pause_that_is_asked_for_is_kept(self, database: Database) -> None:
        """`Retry-After` in seconds."""
        with Receiver(answers=[status(429, Retry_After="7200")]) as receiver:
            an_endpoint(database, receiver.url)
            happen(database, *ids(1))
            office = Office(database)
            office.work()
            office.let_pass(timedelta(minutes=115))
            assert office.work() == 0
            office.let_pass(timedelta(minutes=6))
            assert office.work() == 1
        assert states(database) == ["delivered"]

    def test_410_disables_the_endpoint(self, database: Database) -> None:
        """It is said once, as an event, and nothing more is sent."""
        with Receiver(otherwise=status(410)) as receiver:
            endpoint = an_endpoint(database, receiver.url, ordered=True)
            happen(database, *ids(3))
            office = Office(database)
            assert office.work() == 1
            assert office.work() == 0
        assert states(database) == ["failed"] * 3
        assert types(database)[-1] == "endpoint.disabled"
        with database.read() as connection:
            found = endpoints.by_id(connection, endpoint.id)
        assert found is not None
        assert "410" in str(found.disabled_why)

    def test_an_endpoint_at_which_nothing_arrives_for_days_is_disabled(self, database: Database) -> None:
        """One success in between, and the count begins anew."""
        with Receiver(otherwise=status(500)) as receiver:
            endpoint = an_endpoint(database, receiver.url)
            office = Office(database)
            for day in range(4):
                happen(database, str(UUID(int=day + 1)))
                office.work()
                office.let_pass(timedelta(days=1))
            receiver.answers = [status(200)]
            office.work()
            for day in range(6):
                happen(database, str(UUID(int=day + 10)))
                office.work()
                office.let_pass(timedelta(days=1))
            office.work()
            with database.read() as connection:
                found = endpoints.by_id(connection, endpoint.id)
        assert found is not None
        assert str(found.disabled_why).startswith("no delivery has succeeded since")
        assert types(database).count("endpoint.disabled") == 1

    def test_it_is_given_up_after_the_last_try(self, database: Database) -> None:
        """And can be sent once more by hand: with the same id, to be known again."""
        with Receiver(otherwise=status(500)) as receiver:
            endpoint = an_endpoint(database, receiver.url)
            happen(database, *ids(1))
            office = Office(database)
            for _ in range(backoff.MAX_TRIES):
                office.work()
                with database.begin() as connection:
                    endpoints.change(connection, endpoint.id, {"failing_since": None})
                office.let_pass(timedelta(days=1))
            assert states(database) == ["failed"]
            assert office.work() == 0
            receiver.otherwise = status(200)
            with database.begin() as connection:
                now = database.now(connection)
                which = deliveries.between(endpoint.id, now - timedelta(days=30), now + timedelta(days=1))
                assert deliveries.redeliver(connection, which, now=now) == 1
            office.work()
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
            an_endpoint(database, receiver.url)
            happen(database, *ids(1))
            Office(database, allowed=Allowed()).work()
            assert receiver.messages == []
        with database.read() as connection:
            (record,) = deliveries.listed(connection, most=10)
            (only,) = deliveries.tries(connection, record.id)
        assert only.status is None
        assert "not on the public internet" in str(only.error)
