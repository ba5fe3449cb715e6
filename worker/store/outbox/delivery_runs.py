"""Claims and settles runs of deliveries: what one worker sends to one endpoint, one after another.

A run begins with the delivery whose message arrived. While the receiver is fast, the worker continues with what else
is due there, several at a time, so that a delivery costs neither a message nor a transaction of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, case, null, or_, select, tuple_, update

from worker.store import upserts
from worker.store.outbox import endpoints
from worker.store.outbox.deliveries import Due, Try, hold_cursor, in_state
from worker.store.outbox.endpoints import EndpointRecord
from worker.store.tables.webhooks import Delivery, DeliveryTry, EventRow


@dataclass(frozen=True, slots=True)
class Parcel:
    id: UUID
    attempts: int
    url: str
    event_id: int
    type: str
    at: datetime
    data: Mapping[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    endpoint: EndpointRecord
    parcels: Sequence[Parcel]
    """In the order in which they are sent."""


@dataclass(frozen=True, slots=True)
class Settled:
    parcel: Parcel
    outcome: Try
    state: str
    next_at: datetime | None

    @property
    def is_final(self) -> bool:
        return self.state in {"delivered", "failed"}


def claim(connection: Connection, due: Due, *, lease_until: datetime) -> Run | None:
    """Claim the delivery whose message arrived; None if another worker was first, or the message is outdated."""
    won = connection.execute(
        update(Delivery)
        .where(Delivery.id == due.id, Delivery.state == "sent", Delivery.attempts == due.attempts)
        .values(state="sending", attempts=Delivery.attempts + 1, next_at=lease_until, claimed_with=None)
        .returning(Delivery.endpoint_id)
    ).scalar_one_or_none()
    return None if won is None else _run(connection, won, [due.id])


def claim_more(
    connection: Connection, endpoint: EndpointRecord, *, most: int, lease_until: datetime, now: datetime
) -> Run | None:
    """Claim further deliveries that are due at an endpoint; None if there are none."""
    ids = _next(connection, endpoint, most, now)
    if not ids:
        return None
    head = ids[0]
    connection.execute(
        update(Delivery)
        .where(Delivery.id.in_(ids))
        .values(
            state="sending",
            attempts=Delivery.attempts + 1,
            next_at=lease_until,
            claimed_with=case((Delivery.id == head, null()), else_=head),
        )
    )
    return _run(connection, endpoint.id, ids)


def _next(connection: Connection, endpoint: EndpointRecord, most: int, now: datetime) -> list[UUID]:
    """Lock what is due. Behind the first of an ordered endpoint, whatever waits for it."""
    due = Delivery.next_at <= now
    by = (Delivery.event_id,) if endpoint.ordered else (Delivery.next_at, Delivery.event_id)
    rows = connection.execute(
        select(Delivery.id, Delivery.next_at)
        .where(
            Delivery.endpoint_id == endpoint.id,
            in_state("pending"),
            or_(due, Delivery.next_at.is_(None)) if endpoint.ordered else due,
        )
        .order_by(*by)
        .limit(most)
        .with_for_update(skip_locked=not endpoint.ordered)
    ).all()
    if endpoint.ordered and rows and rows[0].next_at is None:
        return []  # it waits for another one
    return [row.id for row in rows]


def _run(connection: Connection, endpoint_id: UUID, ids: Sequence[UUID]) -> Run | None:
    rows = connection.execute(
        select(
            Delivery.id,
            Delivery.attempts,
            Delivery.url,
            Delivery.event_id,
            EventRow.type,
            EventRow.at,
            EventRow.data,
            Delivery.created_at,
        )
        .join(EventRow, EventRow.id == Delivery.event_id)
        .where(Delivery.id.in_(ids))
    ).all()
    endpoint = endpoints.by_id(connection, endpoint_id)
    if endpoint is None or not rows:
        return None
    found = {row.id: _parcel(row, endpoint) for row in rows}
    return Run(endpoint, [found[one] for one in ids if one in found])


def _parcel(row: Any, endpoint: EndpointRecord) -> Parcel:  # noqa: ANN401 - the row of a statement that names no type
    url = row.url or str(endpoint.url)
    data = json.loads(row.data)
    return Parcel(row.id, row.attempts, url, row.event_id, row.type, row.at, data, row.created_at)


def settle(
    connection: Connection, run: Run, results: Sequence[Settled], *, unsent: Sequence[Parcel], now: datetime
) -> list[Settled]:
    """Record the results of requests, and return what was not sent. Returns the results that still counted.

    The others' deliveries were reassigned: only their log is written.
    """
    if run.endpoint.ordered:
        hold_cursor(connection)
    won = _set(connection, [one for one in results if one.state == "delivered"], now)
    for one in results:
        if one.state != "delivered":
            won |= _set(connection, [one], now)
    _log_tries(connection, results)
    if unsent:
        connection.execute(
            update(Delivery)
            .where(_is_sending(unsent))
            .values(
                state="pending",
                attempts=Delivery.attempts - 1,
                next_at=None if run.endpoint.ordered else now,
                claimed_with=None,
            )
        )
    if run.endpoint.ordered and all(one.is_final for one in results):
        _call_next(connection, run.endpoint.id, now)
    return [one for one in results if one.parcel.id in won]


def _set(connection: Connection, results: Sequence[Settled], now: datetime) -> set[UUID]:
    """Record results that are alike; return the deliveries that were still this run's."""
    if not results:
        return set()
    first = results[0]
    changed = (
        update(Delivery)
        .where(_is_sending([one.parcel for one in results]))
        .values(
            state=first.state, next_at=first.next_at, finished_at=now if first.is_final else None, claimed_with=None
        )
        .returning(Delivery.id)
    )
    return set(connection.execute(changed).scalars())


def _is_sending(parcels: Sequence[Parcel]) -> ColumnElement[bool]:
    numbers = [(one.id, one.attempts) for one in parcels]
    return (Delivery.state == "sending") & tuple_(Delivery.id, Delivery.attempts).in_(numbers)


def _log_tries(connection: Connection, results: Sequence[Settled]) -> None:
    if not results:
        return
    rows = [
        asdict(one.outcome) | {"delivery_id": one.parcel.id, "request": json.dumps(dict(one.outcome.request))}
        for one in results
    ]
    connection.execute(upserts.insert(connection.dialect.name, DeliveryTry).on_conflict_do_nothing(), rows)


def _call_next(connection: Connection, endpoint_id: UUID, now: datetime) -> None:
    following = (
        select(Delivery.id)
        .where(Delivery.endpoint_id == endpoint_id, in_state("pending"))
        .order_by(Delivery.event_id)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(update(Delivery).where(Delivery.id == following, Delivery.next_at.is_(None)).values(next_at=now))
