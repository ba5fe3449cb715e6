"""Relay and deliverer without threads, and endpoints and events to deliver."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from api_models.happenings import Happening
from tests.factories import NOW
from tests.receiver import Receiver
from worker.store.database import Database
from worker.store.outbox import endpoints, events
from worker.store.outbox.deliveries import Due
from worker.store.outbox.endpoints import EndpointRecord
from worker.store.tables.webhooks import Delivery, DeliveryTry, Endpoint, EventRow
from worker.webhooks import signatures
from worker.webhooks.addresses import Allowed
from worker.webhooks.delivery import Deliverer
from worker.webhooks.relay import OutboxRelay
from worker.webhooks.sender import Sender

LOOPBACK = Allowed.parse(["127.0.0.0/8"])


class WebhookHarness:
    """A relay and a deliverer without threads: `work` delivers what is due."""

    def __init__(self, database: Database, *, whole_seconds: float = 5.0, allowed: Allowed = LOOPBACK) -> None:
        self.database = database
        self.posted: list[Due] = []
        self.relay = OutboxRelay(database, self._post)
        sender = Sender(allowed, connect_seconds=2.0, whole_seconds=whole_seconds)
        self.deliverer = Deliverer(database, sender, random.Random(7))

    def _post(self, due: Any) -> Any:  # noqa: ANN401 - the relay's own
        self.posted += due
        return ()

    def work(self) -> int:
        """Relay and deliver until nothing is due; returns the number of requests."""
        before = self.tries()
        while True:
            while self.relay.run_once():
                pass
            due, self.posted = self.posted, []
            if not due:
                return self.tries() - before
            for one in due:
                self.deliverer.run(one)

    def tries(self) -> int:
        """The number of requests made."""
        with self.database.read() as connection:
            return connection.execute(select(func.count()).select_from(DeliveryTry)).scalar_one()

    def advance(self, time: timedelta) -> None:
        """Move every stored time into the past by `time`."""
        with self.database.begin() as connection:
            for column in (Delivery.next_at, Endpoint.failing_since, Endpoint.old_secret_until):
                table = column.class_
                rows = connection.execute(select(table.id, column).where(column.is_not(None))).all()
                for row in rows:
                    connection.execute(update(table).where(table.id == row[0]).values({column.key: row[1] - time}))


def add_endpoint(database: Database, url: str | None, **fields: Any) -> EndpointRecord:  # noqa: ANN401 - any field
    """An endpoint subscribed to every event of `acme`, unless `fields` say otherwise."""
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


def record_events(
    database: Database, *subjects: str, kind: str = Happening.JOB_FAILED, tenant: str | None = "acme"
) -> None:
    """Write one event per subject, in order."""
    with database.begin() as connection:
        for subject in subjects:
            events.record(connection, kind, subject, {"id": subject}, tenant=tenant, now=NOW)


def ids(count: int) -> list[str]:
    """`count` job ids; the jobs need not exist."""
    return [str(UUID(int=number)) for number in range(1, count + 1)]


def states(database: Database) -> list[str]:
    """The state of each delivery, in the order of the events."""
    with database.read() as connection:
        return list(connection.execute(select(Delivery.state).order_by(Delivery.event_id)).scalars())


def types(database: Database) -> list[str]:
    """The type of each event, in order."""
    with database.read() as connection:
        return list(connection.execute(select(EventRow.type).order_by(EventRow.id)).scalars())


def subjects(receiver: Receiver) -> list[str]:
    """The job id of each received message, in order."""
    return [message.json["data"]["id"] for message in receiver.messages]
