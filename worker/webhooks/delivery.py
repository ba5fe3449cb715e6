"""Executes one delivery: claim, sign, send, settle. Safe to repeat.

If the process dies between sending and recording, the delivery is sent again: at least once, not exactly once.
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
"""A delivery whose worker has not reported for this long is sent again; four times the limit of a request."""
THREADS: Final = 16
CLOSE_SECONDS: Final = 20.0
"""How long shutdown waits for current requests: slightly longer than one may take."""
USER_AGENT: Final = "ttsq-webhooks/1"

log = structlog.get_logger("ttsq.webhooks")


@dataclass(frozen=True, slots=True)
class Deliverer:
    database: Database
    sender: Sender
    rng: random.Random = field(default_factory=random.Random)

    def run(self, due: Due) -> None:
        """Execute one delivery. A database outage is only logged: the delivery's row is sent again."""
        try:
            self.deliver(due)
        except SQLAlchemyError as error:
            log.warning("database_trouble", delivery=str(due.id), error=str(error).splitlines()[0])

    def deliver(self, due: Due) -> None:
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
        """Track how long an endpoint has been failing, and disable it after too long.

        Callback URLs share one endpoint, which one failing URL must not disable.
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
    if follows.gone:
        return "the receiver answered 410 Gone"
    since = endpoint.failing_since
    if since is not None and now - since >= backoff.DISABLED_AFTER:
        return f"no delivery has succeeded since {since:%Y-%m-%d %H:%M} UTC"
    return None


def message_id(event_id: int) -> str:
    """Return the receiver's id of the message; the same for every try and every redelivery."""
    return f"evt_{event_id}"


def body_of(parcel: Parcel) -> bytes:
    data: Mapping[str, Any] = {"id": parcel.data.get("id")} if parcel.endpoint.thin else parcel.data
    stamp = parcel.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": parcel.type, "timestamp": stamp, "data": data}, ensure_ascii=False).encode()
