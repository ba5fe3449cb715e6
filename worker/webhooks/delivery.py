"""Executes deliveries: claim, sign, send, settle, then the next ones of the endpoint. Safe to repeat.

If the process dies between sending and recording, the delivery is sent again: at least once, not exactly once.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from api_models import flat_events, links
from worker.store.database import Database
from worker.store.outbox import deliveries, delivery_runs, endpoints, events
from worker.store.outbox.deliveries import Due, Try
from worker.store.outbox.delivery_runs import Parcel, Run, Settled
from worker.store.outbox.endpoints import EndpointRecord
from worker.webhooks import backoff, signatures
from worker.webhooks.backoff import Next, NextStep
from worker.webhooks.sender import Answer, Sender

LEASE_SECONDS: Final = 60.0
"""A delivery whose worker has not reported for this long is sent again; four times the limit of a request."""
LEASE: Final = timedelta(seconds=LEASE_SECONDS)
RUN_SECONDS: Final = 1.0
"""A run ends after this time, so that other endpoints get the thread."""
MAX_CLAIMED: Final = 16
"""Deliveries claimed and settled together. If the worker dies in between, they are sent twice."""
CLAIMED_SECONDS: Final = 0.5
"""They should take about this long, judged by the requests before."""
THREADS: Final = 16
CLOSE_SECONDS: Final = 20.0
"""How long shutdown waits for current requests: slightly longer than one may take."""
USER_AGENT: Final = "ttsq-webhooks/1"
REDACTED: Final = "[redacted]"
MIN_REPEATED: Final = 3
"""Fewer characters of a secret at the end of a response show nothing."""

log = structlog.get_logger("ttsq.webhooks")


@dataclass(frozen=True, slots=True)
class Deliverer:
    database: Database
    sender: Sender
    rng: random.Random = field(default_factory=random.Random)
    public_base: str = ""
    """Base URL of the gateway: links in messages begin with it."""

    def run(self, due: Due) -> None:
        """Execute one delivery and those that follow. A database outage is only logged: rows are sent again."""
        try:
            self.deliver(due)
        except SQLAlchemyError as error:
            log.warning("database_unavailable", delivery=str(due.id), error=str(error).splitlines()[0])

    def deliver(self, due: Due) -> None:
        ends = time.monotonic() + RUN_SECONDS
        with self.database.begin() as connection:
            now = self.database.now(connection)
            run = delivery_runs.claim(connection, due, lease_until=now + LEASE)
        while run is not None:
            results = list(self._send(run, now))
            run, now = self._settle(run, results, may_go_on=time.monotonic() < ends)

    def _send(self, run: Run, now: datetime) -> Iterator[Settled]:
        """Send until one fails or the run has taken long enough; a receiver that hangs holds up nothing else."""
        ends = time.monotonic() + RUN_SECONDS
        for parcel in run.parcels:
            result = self._sent(run.endpoint, parcel, now)
            yield result
            if result.state != NextStep.DELIVERED or time.monotonic() >= ends:
                return

    def _sent(self, endpoint: EndpointRecord, parcel: Parcel, now: datetime) -> Settled:
        if endpoint.disabled_at is not None:
            outcome = _try(parcel, now, {}, Answer(0.0, error="the endpoint is disabled"))
            return Settled(parcel, outcome, str(NextStep.FAILED), None)
        body = body_of(endpoint, parcel, self.public_base)
        headers = {
            **signatures.headers(endpoint.secrets(now), message_id(parcel.event_id), now, body),
            "content-type": "application/json",
            "user-agent": USER_AGENT,
        }
        secret = endpoint.secret_header
        answer = _redacted(self.sender.post(parcel.url, {**headers, **secret}, body), secret.values())
        follows = self._next(parcel, answer, now)
        return Settled(parcel, _try(parcel, now, headers, answer), str(follows.fate), follows.at)

    def _next(self, parcel: Parcel, answer: Answer, now: datetime) -> Next:
        return backoff.after(
            status=answer.status,
            tries=parcel.attempts,
            asked_seconds=answer.asked_seconds,
            now=now + timedelta(seconds=answer.seconds),
            rng=self.rng,
        )

    def _settle(self, run: Run, results: Sequence[Settled], *, may_go_on: bool) -> tuple[Run | None, datetime]:
        """Record the results, and claim what follows if all were delivered."""
        unsent = run.parcels[len(results) :]
        delivered = all(one.state == NextStep.DELIVERED for one in results)
        with self.database.begin() as connection:
            now = self.database.now(connection)
            won = delivery_runs.settle(connection, run, results, unsent=unsent, now=now)
            for one in won[-1:]:  # only the last one may have failed
                self._note_health(connection, run.endpoint, one, now)
            following = None
            if delivered and may_go_on and run.endpoint.disabled_at is None:
                following = self._claim_more(connection, run.endpoint, results, now)
            elif delivered:
                events.announce(connection)  # for the relay, which begins another run
        for one in won:
            _log(run.endpoint, one)
        return following, now

    def _claim_more(
        self, connection: Connection, endpoint: EndpointRecord, results: Sequence[Settled], now: datetime
    ) -> Run | None:
        """Claim as many as a receiver of this speed takes in a moment: other runs may send to a slow one meanwhile."""
        seconds = max(one.outcome.seconds for one in results)
        most = max(1, min(MAX_CLAIMED, int(CLAIMED_SECONDS / max(seconds, 0.001))))
        return delivery_runs.claim_more(connection, endpoint, most=most, lease_until=now + LEASE, now=now)

    def _note_health(self, connection: Connection, endpoint: EndpointRecord, result: Settled, now: datetime) -> None:
        """Track how long an endpoint has been failing, and disable it after too long.

        Callback URLs share one endpoint, which one failing URL must not disable.
        """
        if endpoint.url is None or endpoint.disabled_at is not None:
            return
        if result.state == NextStep.DELIVERED:
            if endpoint.failing_since is not None:
                endpoints.change(connection, endpoint.id, {"failing_since": None})
            return
        if endpoint.failing_since is None:
            endpoints.change(connection, endpoint.id, {"failing_since": now})
        why = _why_disabled(endpoint, result.outcome.status, now)
        if why is not None and endpoints.disable(connection, endpoint.id, why, now=now):
            deliveries.drop(connection, endpoint.id, now=now)
            kind, subject, data = deliveries.disabled(endpoint, why)
            events.record(connection, kind, subject, data, tenant=endpoint.tenant, now=now)


def _why_disabled(endpoint: EndpointRecord, status: int | None, now: datetime) -> str | None:
    if status == backoff.GONE:
        return "the receiver answered 410 Gone"
    since = endpoint.failing_since
    if since is not None and now - since >= backoff.DISABLED_AFTER:
        return f"no delivery has succeeded since {since:%Y-%m-%d %H:%M} UTC"
    return None


def message_id(event_id: int) -> str:
    """Return the receiver's id of the message; the same for every try and every redelivery."""
    return f"evt_{event_id}"


def body_of(endpoint: EndpointRecord, parcel: Parcel, public_base: str) -> bytes:
    data = {"id": parcel.data.get("id")} if endpoint.thin else links.absolute(parcel.data, public_base)
    stamp = parcel.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    message = {"type": parcel.type, "timestamp": stamp, "data": data}
    if endpoint.is_flat:
        message = {**flat_events.flat(parcel.type, stamp, data), "data": data}
    return json.dumps(message, ensure_ascii=False).encode()


def _redacted(answer: Answer, secrets: Iterable[str]) -> Answer:
    """Remove the shared secret from a response that repeats its request, also where the end was cut off."""
    body = answer.body
    for secret in secrets if body else ():
        body = str(body).replace(secret, REDACTED)
        kept = next((size for size in range(len(secret) - 1, MIN_REPEATED, -1) if body.endswith(secret[:size])), 0)
        body = body[: len(body) - kept]
    return replace(answer, body=body)


def _try(parcel: Parcel, began: datetime, headers: Mapping[str, str], answer: Answer) -> Try:
    return Try(
        number=parcel.attempts,
        at=began,
        seconds=answer.seconds,
        status=answer.status,
        request={name: value for name, value in headers.items() if name != "webhook-signature"},
        response=answer.body,
        error=answer.error,
    )


def _log(endpoint: EndpointRecord, result: Settled) -> None:
    log.info(
        "delivery",
        delivery=str(result.parcel.id),
        endpoint=str(endpoint.id),
        type=result.parcel.type,
        attempt=result.parcel.attempts,
        status=result.outcome.status,
        error=result.outcome.error,
        fate=result.state,
        seconds=round(result.outcome.seconds, 3),
    )
