"""A delivery from its message to its record: claim, sign, send, settle. Safe to be told twice.

A process that dies between the send and the record leaves a delivery that is sent again: at least once, not exactly.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from worker.store.database import Database
from worker.store.outbox import deliveries, endpoints, events
from worker.store.outbox.deliveries import Due, Parcel, Try
from worker.store.outbox.endpoints import EndpointRecord
from worker.webhooks import backoff, signatures
from worker.webhooks.backoff import Next, NextStep
from worker.webhooks.sender import Answer, Sender

LEASE_SECONDS: Final = 60.0
"""A delivery whose worker was not heard of for so long is sent again; four times what one request may take."""
THREADS: Final = 16
CLOSE_SECONDS: Final = 20.0
"""How long the end of the process waits for requests under way: somewhat longer than one may take."""
USER_AGENT: Final = "ttsq-webhooks/1"

log = structlog.get_logger("ttsq.webhooks")


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Carries out deliveries, any number at a time, each on its caller's thread."""

    database: Database
    sender: Sender
    rng: random.Random = field(default_factory=random.Random)

    def run(self, due: Due) -> None:
        """Carry out one delivery. A database that is away is logged: the delivery's row brings it back."""
        try:
            self.deliver(due)
        except SQLAlchemyError as error:
            log.warning("database_trouble", delivery=str(due.id), error=str(error).splitlines()[0])

    def deliver(self, due: Due) -> None:
        """Claim, sign, send and settle.

        Raises:
            SQLAlchemyError
        """
        with self.database.begin() as connection:
            now = self.database.now(connection)
            lease = now + timedelta(seconds=LEASE_SECONDS)
            parcel = deliveries.claim(connection, due, lease_until=lease)
        if parcel is None:
            return
        if parcel.endpoint.disabled_at is not None:
            self._record(parcel, now, {}, Answer(0.0, error="the endpoint is disabled"), Next(NextStep.FAILED))
            return
        body = body_of(parcel)
        headers = {
            **signatures.headers(parcel.endpoint.secrets(now), message_id(parcel.event_id), now, body),
            "content-type": "application/json",
            "user-agent": USER_AGENT,
        }
        answer = self.sender.post(parcel.url, headers, body)
        self._record(parcel, now, headers, answer, self._next(parcel, answer, now))

    def _next(self, parcel: Parcel, answer: Answer, now: datetime) -> Next:
        return backoff.after(
            status=answer.status,
            tries=parcel.attempts,
            asked_seconds=answer.asked_seconds,
            now=now + timedelta(seconds=answer.seconds),
            rng=self.rng,
        )

    def _record(
        self, parcel: Parcel, began: datetime, headers: Mapping[str, str], answer: Answer, follows: Next
    ) -> None:
        outcome = Try(
            number=parcel.attempts,
            at=began,
            seconds=answer.seconds,
            status=answer.status,
            request={name: value for name, value in headers.items() if name != "webhook-signature"},
            response=answer.body,
            error=answer.error,
        )
        with self.database.begin() as connection:
            now = self.database.now(connection)
            if not deliveries.settle(connection, parcel, outcome, state=str(follows.fate), next_at=follows.at, now=now):
                return
            self._note_health(connection, parcel, follows, now)
        log.info(
            "delivery",
            delivery=str(parcel.id),
            endpoint=str(parcel.endpoint.id),
            type=parcel.type,
            attempt=parcel.attempts,
            status=answer.status,
            error=answer.error,
            fate=str(follows.fate),
            seconds=round(answer.seconds, 3),
        )

    def _note_health(self, connection: Connection, parcel: Parcel, follows: Next, now: datetime) -> None:
        """Remember since when an endpoint fails, and send it nothing more when that has been for too long.

        Callback addresses share one endpoint, and the trouble of one of them is not the others'.
        """
        endpoint = parcel.endpoint
        if endpoint.url is None:
            return
        if follows.fate is NextStep.DELIVERED:
            if endpoint.failing_since is not None:
                endpoints.change(connection, endpoint.id, {"failing_since": None})
            return
        if endpoint.failing_since is None:
            endpoints.change(connection, endpoint.id, {"failing_since": now})
        why = _why_disabled(endpoint, follows, now)
        if why is not None and endpoints.disable(connection, endpoint.id, why, now=now):
            deliveries.drop(connection, endpoint.id, now=now)
            kind, subject, data = deliveries.disabled(endpoint, why)
            events.record(connection, kind, subject, data, tenant=endpoint.tenant, now=now)


def _why_disabled(endpoint: EndpointRecord, follows: Next, now: datetime) -> str | None:
    """In words for people; None where it goes on."""
    if follows.gone:
        return "it answered 410: nobody is there any more"
    since = endpoint.failing_since
    if since is not None and now - since >= backoff.DISABLED_AFTER:
        return f"nothing has arrived since {since:%Y-%m-%d %H:%M} UTC"
    return None


def message_id(event_id: int) -> str:
    """What the receiver knows a message by; the same for every try, and for a delivery that is sent again by hand."""
    return f"evt_{event_id}"


def body_of(parcel: Parcel) -> bytes:
    """The message itself."""
    data: Mapping[str, Any] = {"id": parcel.data.get("id")} if parcel.endpoint.thin else parcel.data
    stamp = parcel.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": parcel.type, "timestamp": stamp, "data": data}, ensure_ascii=False).encode()
