"""The outbox: one row per event and endpoint, from the event's transaction until it is delivered or has failed.

Events are read once, in order, under a lock on the cursor's row. The same lock protects an ordered endpoint's queue: it
is held to append a delivery and to call up the next one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from uuid_utils.compat import uuid7

from api_models.happenings import PROMISED, Happening
from worker.store import upserts
from worker.store.outbox import endpoints
from worker.store.outbox.endpoints import EndpointRecord
from worker.store.tables.jobs import Batch, Job
from worker.store.tables.webhooks import Cursor, Delivery, DeliveryTry, Endpoint, EventRow

CURSOR: Final = "outbox"
EVENTS_PER_POLL: Final = 500
OPEN_STATES: Final = ("pending", "sent", "sending")

# Literally the predicate of the partial indexes: the planner needs it to prove that they fit.
_OPEN = Delivery.state.in_([literal_column(f"'{state}'", String) for state in OPEN_STATES])


def in_state(state: str) -> ColumnElement[bool]:
    return and_(_OPEN, Delivery.state == literal_column(f"'{state}'", String))


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is due. Like a job's message, one with an outdated number changes nothing."""

    id: UUID
    attempts: int


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    id: UUID
    endpoint_id: UUID
    tenant: str
    event_id: int
    type: str
    subject: str
    state: str
    attempts: int
    created_at: datetime
    next_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Try:
    number: int
    at: datetime
    seconds: float
    status: int | None
    request: Mapping[str, str]
    response: str | None
    error: str | None


def address(connection: Connection, *, now: datetime) -> int:
    """Read the new events, and write a delivery for each subscribed endpoint. Returns how many events were read."""
    position = hold_cursor(connection)
    rows: Sequence[Any] = connection.execute(
        select(EventRow.id, EventRow.type, EventRow.tenant, EventRow.subject)
        .where(EventRow.id > position)
        .order_by(EventRow.id)
        .limit(EVENTS_PER_POLL)
    ).all()
    if not rows:
        return 0
    promised = [row for row in rows if row.type in PROMISED]
    listening = _listening(connection, promised)
    callbacks = _callbacks(connection, promised)
    queues = {one.id: _has_queue(connection, one.id) for one in listening if one.ordered}
    written: list[dict[str, Any]] = []
    for event in promised:
        for endpoint in listening:
            url = None if endpoint.url is not None else callbacks.get(event.subject)
            if event.tenant not in {None, endpoint.tenant} or not endpoint.wants(event.type):
                continue
            if endpoint.url is None and url is None:
                continue
            behind = queues.get(endpoint.id, False)
            if endpoint.ordered:
                queues[endpoint.id] = True
            written.append(_row(event.id, endpoint, url, None if behind else now, now))
    if written:
        connection.execute(insert(Delivery), written)
    connection.execute(update(Cursor).where(Cursor.name == CURSOR).values(position=rows[-1].id))
    return len(rows)


def _row(
    event_id: int, endpoint: EndpointRecord, url: str | None, next_at: datetime | None, now: datetime
) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "tenant": endpoint.tenant,
        "endpoint_id": endpoint.id,
        "event_id": event_id,
        "url": url,
        "state": "pending",
        "next_at": next_at,
        "attempts": 0,
        "created_at": now,
    }


def hold_cursor(connection: Connection) -> int:
    position = connection.execute(
        select(Cursor.position).where(Cursor.name == CURSOR).with_for_update()
    ).scalar_one_or_none()
    if position is not None:
        return position
    first = upserts.insert(connection.dialect.name, Cursor).values(name=CURSOR, position=0)
    connection.execute(first.on_conflict_do_nothing())
    return connection.execute(select(Cursor.position).where(Cursor.name == CURSOR).with_for_update()).scalar_one()


def _listening(connection: Connection, events: Sequence[Any]) -> list[EndpointRecord]:
    if any(event.tenant is None for event in events):
        return [one for one in endpoints.listed(connection) if one.disabled_at is None]
    tenants = sorted({event.tenant for event in events})
    return endpoints.of_tenants(connection, tenants) if tenants else []


def _callbacks(connection: Connection, events: Sequence[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for table, prefix in ((Job, "job."), (Batch, "batch.")):
        subjects = [UUID(event.subject) for event in events if event.type.startswith(prefix)]
        if subjects:
            rows = connection.execute(
                select(table.id, table.callback_url).where(table.id.in_(subjects), table.callback_url.is_not(None))
            )
            found.update((str(row[0]), str(row[1])) for row in rows)
    return found


def _has_queue(connection: Connection, endpoint_id: UUID) -> bool:
    return (
        connection.execute(select(Delivery.id).where(Delivery.endpoint_id == endpoint_id, _OPEN).limit(1)).first()
        is not None
    )


def is_anything_due(connection: Connection, *, now: datetime) -> bool:
    """Whether there is an event to read or a delivery to send. Cheap enough to poll several times a second."""
    position = select(func.coalesce(func.max(Cursor.position), 0)).where(Cursor.name == CURSOR).scalar_subquery()
    # In order: without it PostgreSQL reads all events, as it can't know that the position is near their end.
    fresh = select(EventRow.id).where(EventRow.id > position).order_by(EventRow.id).limit(1)
    due = select(Delivery.id).where(_OPEN, Delivery.next_at <= now).limit(1)
    return any(connection.execute(query).first() is not None for query in (due, fresh))


def pending(soon: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether there is an event to read, or a delivery due by then."""
    position = select(func.coalesce(func.max(Cursor.position), 0)).where(Cursor.name == CURSOR).scalar_subquery()
    newest = select(func.max(EventRow.id)).scalar_subquery()
    return or_(exists().where(_OPEN, Delivery.next_at <= soon), func.coalesce(newest, 0) > position)


_UNDER_WAY = (
    select(Delivery.endpoint_id, func.count())
    .where(_OPEN, Delivery.state != "pending", Delivery.claimed_with.is_(None))
    .group_by(Delivery.endpoint_id)
)
"""Runs: each has one delivery that was not claimed with another one."""


def take_due(connection: Connection, *, most: int, each: int, lease_until: datetime, now: datetime) -> list[Due]:
    """Return deliveries that each begin a run, at most `each` runs per endpoint, and mark them as sent.

    Deliveries whose lease has expired are sent again.
    """
    lapsed = select(Delivery.id).where(_OPEN, Delivery.state != "pending", Delivery.next_at <= now)
    connection.execute(update(Delivery).where(Delivery.id.in_(lapsed)).values(state="pending", claimed_with=None))
    # Deliveries that were addressed while their endpoint was being disabled.
    disabled_ids = select(Endpoint.id).where(Endpoint.disabled_at.is_not(None))
    _fail_pending(connection, Delivery.endpoint_id.in_(disabled_ids), now)
    under_way = {row[0]: row[1] for row in connection.execute(_UNDER_WAY)}
    room = most - sum(under_way.values())
    found: list[Due] = []
    for endpoint_id, ordered in _waiting(connection, now):
        limit = min(room - len(found), (1 if ordered else each) - under_way.get(endpoint_id, 0))
        if limit > 0:
            found += _first(connection, endpoint_id, limit, now, ordered=ordered)
    if found:
        connection.execute(
            update(Delivery)
            .where(Delivery.id.in_([due.id for due in found]), Delivery.state == "pending")
            .values(state="sent", next_at=lease_until, claimed_with=None)
        )
    return found


def _waiting(connection: Connection, now: datetime) -> list[tuple[UUID, bool]]:
    waits = select(Delivery.id).where(Delivery.endpoint_id == Endpoint.id, in_state("pending"), Delivery.next_at <= now)
    rows = connection.execute(select(Endpoint.id, Endpoint.ordered).where(waits.exists())).all()
    return [(row[0], row[1]) for row in rows]


def _first(connection: Connection, endpoint_id: UUID, most: int, now: datetime, *, ordered: bool) -> list[Due]:
    by = (Delivery.event_id,) if ordered else (Delivery.next_at, Delivery.event_id)
    rows = connection.execute(
        select(Delivery.id, Delivery.attempts)
        .where(Delivery.endpoint_id == endpoint_id, in_state("pending"), Delivery.next_at <= now)
        .order_by(*by)
        .limit(most)
    )
    return [Due(*row) for row in rows]


def unsend(connection: Connection, due: Sequence[Due], *, now: datetime) -> None:
    connection.execute(
        update(Delivery)
        .where(Delivery.id.in_([one.id for one in due]), Delivery.state == "sent")
        .values(state="pending", next_at=now)
    )


def drop(connection: Connection, endpoint_id: UUID, *, now: datetime) -> int:
    """Fail all queued deliveries of a disabled endpoint; they can be redelivered."""
    return _fail_pending(connection, Delivery.endpoint_id == endpoint_id, now)


def _fail_pending(connection: Connection, which: ColumnElement[bool], now: datetime) -> int:
    failed = update(Delivery).where(in_state("pending"), which).values(state="failed", next_at=None, finished_at=now)
    return connection.execute(failed).rowcount


_RECORD = (
    Delivery.id,
    Delivery.endpoint_id,
    Delivery.tenant,
    Delivery.event_id,
    EventRow.type,
    EventRow.subject,
    Delivery.state,
    Delivery.attempts,
    Delivery.created_at,
    Delivery.next_at,
    Delivery.finished_at,
)


def listed(
    connection: Connection,
    *,
    tenant: str | None = None,
    endpoint_id: UUID | None = None,
    state: str | None = None,
    before: UUID | None = None,
    most: int,
) -> list[DeliveryRecord]:
    query = select(*_RECORD).join(EventRow, EventRow.id == Delivery.event_id)
    given = ((Delivery.tenant, tenant), (Delivery.endpoint_id, endpoint_id), (Delivery.state, state))
    query = query.where(*(column == value for column, value in given if value is not None))
    if before is not None:
        query = query.where(Delivery.id < before)
    rows = connection.execute(query.order_by(Delivery.id.desc()).limit(most))
    return [DeliveryRecord(*row) for row in rows]


def by_id(connection: Connection, delivery_id: UUID) -> DeliveryRecord | None:
    query = select(*_RECORD).join(EventRow, EventRow.id == Delivery.event_id)
    row = connection.execute(query.where(Delivery.id == delivery_id)).one_or_none()
    return None if row is None else DeliveryRecord(*row)


def tries(connection: Connection, delivery_id: UUID) -> list[Try]:
    rows = connection.execute(
        select(
            DeliveryTry.number,
            DeliveryTry.at,
            DeliveryTry.seconds,
            DeliveryTry.status,
            DeliveryTry.request,
            DeliveryTry.response,
            DeliveryTry.error,
        )
        .where(DeliveryTry.delivery_id == delivery_id)
        .order_by(DeliveryTry.number)
    )
    return [Try(row[0], row[1], row[2], row[3], json.loads(row[4]), row[5], row[6]) for row in rows]


def redeliver(connection: Connection, which: ColumnElement[bool], *, now: datetime) -> int:
    """Send finished deliveries once more, with the same message id. Pending ones are sent at once."""
    hold_cursor(connection)
    finished = Delivery.state.in_(("delivered", "failed"))
    again = connection.execute(
        update(Delivery).where(which, finished).values(state="pending", next_at=now, finished_at=None)
    ).rowcount
    sooner = connection.execute(
        update(Delivery).where(which, in_state("pending"), Delivery.next_at > now).values(next_at=now)
    )
    return again + sooner.rowcount


def one(delivery_id: UUID) -> ColumnElement[bool]:
    return Delivery.id == delivery_id


def between(
    endpoint_id: UUID, since: datetime, until: datetime, *, states: Sequence[str] = ("failed",)
) -> ColumnElement[bool]:
    """Select an endpoint's deliveries of events from `since` up to, but excluding, `until`."""
    return and_(
        Delivery.endpoint_id == endpoint_id,
        Delivery.created_at >= since,
        Delivery.created_at < until,
        Delivery.state.in_(states),
    )


def forget(connection: Connection, *, finished_before: datetime) -> int:
    """Delete deliveries that finished long ago, with their log."""
    old = select(Delivery.id).where(Delivery.finished_at < finished_before)
    connection.execute(DeliveryTry.__table__.delete().where(DeliveryTry.delivery_id.in_(old)))  # type: ignore[attr-defined]
    return connection.execute(
        Delivery.__table__.delete().where(Delivery.finished_at < finished_before)  # type: ignore[attr-defined]
    ).rowcount


def disabled(endpoint: EndpointRecord, why: str) -> tuple[str, str, dict[str, Any]]:
    return Happening.ENDPOINT_DISABLED, str(endpoint.id), {"id": str(endpoint.id), "url": endpoint.url, "why": why}
