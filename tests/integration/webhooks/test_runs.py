"""Runs of deliveries: a fast receiver gets them one after another from one worker, and nothing is lost on the way."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select

from tests.integration.webhooks.harness import WebhookHarness, add_endpoint, ids, record_events, states, subjects
from tests.receiver import Receiver, hang, status
from worker.maintenance.leader_task import LeaderTask
from worker.store import notifications
from worker.store.database import Database
from worker.store.outbox import delivery_runs
from worker.store.outbox.deliveries import Try
from worker.store.outbox.delivery_runs import Settled
from worker.store.tables.webhooks import Delivery
from worker.webhooks.delivery import LEASE_SECONDS, MAX_CLAIMED
from worker.webhooks.relay import MAX_EACH


def open_numbers(database: Database) -> list[tuple[str, int, UUID | None]]:
    """State, tries and run of each unfinished delivery, in the order of the events."""
    with database.read() as connection:
        rows = connection.execute(
            select(Delivery.state, Delivery.attempts, Delivery.claimed_with)
            .where(Delivery.finished_at.is_(None))
            .order_by(Delivery.event_id)
        )
        return [(row[0], row[1], row[2]) for row in rows]


def test_one_message_delivers_whatever_is_due(database: Database) -> None:
    """In order, with one message to a worker for all of them."""
    with Receiver() as receiver:
        add_endpoint(database, receiver.url, ordered=True)
        record_events(database, *ids(40))
        harness = WebhookHarness(database)
        while harness.relay.run_once():
            pass
        (due,) = harness.posted
        harness.deliverer.run(due)
        assert subjects(receiver) == ids(40)
    assert states(database) == ["delivered"] * 40


def test_what_a_run_did_not_send_is_not_counted_as_tried(database: Database) -> None:
    """A refusal ends the run: the rest goes back, with its tries and its turn."""
    for ordered in (True, False):
        with Receiver() as receiver:
            receiver.answers = [status(204)] * 3 + [status(500)]
            receiver.otherwise = status(204)
            add_endpoint(database, receiver.url, ordered=ordered, tenant=f"tenant-{ordered}")
            record_events(database, *ids(12), tenant=f"tenant-{ordered}")
            harness = WebhookHarness(database)
            while harness.relay.run_once():
                pass
            harness.deliverer.run(harness.posted[0])
            assert len(receiver.messages) == 4
            refused, *rest = [one for one in open_numbers(database) if one[0] == "pending"]
            assert refused == ("pending", 1, None)
            assert all(one == ("pending", 0, None) for one in rest)
            harness.advance(timedelta(minutes=1))
            harness.advance(timedelta(seconds=LEASE_SECONDS))
            harness.work()
            assert sorted(set(subjects(receiver))) == ids(12)
            if ordered:
                assert subjects(receiver) == [*ids(4), *ids(12)[3:]]
    assert states(database) == ["delivered"] * 24


def test_a_run_that_dies_is_sent_again_whole(database: Database) -> None:
    """Everything that a worker had claimed, once its lease has expired; and in order."""
    with Receiver() as receiver:
        endpoint = add_endpoint(database, receiver.url, ordered=True)
        record_events(database, *ids(6))
        harness = WebhookHarness(database)
        harness.relay.run_once()
        harness.relay.run_once()
        (due,) = harness.posted
        with database.begin() as connection:
            now = database.now(connection)
            lease = now + timedelta(seconds=LEASE_SECONDS)
            first = delivery_runs.claim(connection, due, lease_until=lease)
            assert first is not None
            outcome = Try(number=1, at=now, seconds=0.0, status=204, request={}, response=None, error=None)
            delivered = Settled(first.parcels[0], outcome, "delivered", None)
            assert delivery_runs.settle(connection, first, [delivered], unsent=(), now=now) == [delivered]
            more = delivery_runs.claim_more(connection, endpoint, most=4, lease_until=lease, now=now)
        assert more is not None
        assert [one.event_id for one in more.parcels] == sorted(one.event_id for one in more.parcels)
        harness.posted.clear()
        assert harness.work() == 0
        harness.advance(timedelta(seconds=LEASE_SECONDS + 1))
        assert harness.work() == 5
        assert subjects(receiver) == ids(6)[1:]
    assert states(database) == ["delivered"] * 6


def test_runs_are_counted_and_not_their_deliveries(database: Database) -> None:
    """One worker that sends many to a fast receiver leaves room for others to send there as well."""
    with Receiver() as receiver:
        endpoint = add_endpoint(database, receiver.url)
        record_events(database, *ids(60))
        harness = WebhookHarness(database)
        while harness.relay.run_once():
            pass
        assert len(harness.posted) == MAX_EACH
        with database.begin() as connection:
            now = database.now(connection)
            lease = now + timedelta(seconds=LEASE_SECONDS)
            assert delivery_runs.claim(connection, harness.posted[0], lease_until=lease) is not None
            done = delivery_runs.claim_more(connection, endpoint, most=MAX_CLAIMED, lease_until=lease, now=now)
            assert done is not None
            assert len(done.parcels) == MAX_CLAIMED
        with database.read() as connection:
            runs = select(func.count()).where(Delivery.state.in_(("sent", "sending")), Delivery.claimed_with.is_(None))
            assert connection.execute(runs).scalar_one() == MAX_EACH + 1


def test_a_receiver_that_begins_to_hang_ends_the_run(database: Database) -> None:
    """What was claimed behind it goes back at once, and other workers may send it."""
    with Receiver() as receiver:
        receiver.answers = [status(204)]
        receiver.otherwise = hang
        add_endpoint(database, receiver.url)
        record_events(database, *ids(40))
        harness = WebhookHarness(database, whole_seconds=1.0)
        while harness.relay.run_once():
            pass
        harness.deliverer.run(harness.posted[0])
        assert len(receiver.messages) == 2
        tried = [one for one in open_numbers(database) if one[1] > 0]
        assert len(tried) == 1


def test_an_event_wakes_the_relay(database: Database) -> None:
    """At the commit of its transaction, not at the next poll."""
    with notifications.watch(database, [notifications.EVENTS]) as wait:
        record_events(database, *ids(1))
        assert wait(20)


def test_a_woken_task_runs_before_its_next_poll() -> None:
    """It would poll once an hour."""
    ran = threading.Event()

    def run_once() -> bool:
        ran.set()
        return False

    task = LeaderTask("test", 3_600.0, run_once, lambda: True)
    task.start()
    try:
        assert not ran.is_set()
        task.wake()
        assert ran.wait(20)
    finally:
        task.stop()
