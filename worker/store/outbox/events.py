"""Events for subscribers: written in the transaction that makes them true, read in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import Connection, delete, func, insert, select

from worker.store import notifications
from worker.store.tables.webhooks import EventRow

TURN: Final = 0x7474_7371
"""PostgreSQL's advisory lock for writers of events: `ttsq` in ASCII."""

HELD: Final = "account.held"
RELEASED: Final = "account.released"
LOW_BALANCE: Final = "account.low_balance"
TAKES_HELD: Final = "takes.held"
"""A batch, or a tenant's jobs of one model, is held because its takes were refused one after another."""
TAKES_RELEASED: Final = "takes.released"
SCHEDULE_FAILED: Final = "schedule.failed"
"""A schedule's run submitted nothing. Its subject is the schedule's name."""
SCHEDULE_MISSED: Final = "schedule.missed"
"""No worker was running at a schedule's time, and it was too late to make up for it."""
RESTORED: Final = "queue.restored"
"""The database was restored from a backup; the event's number is higher than all numbers used before."""
WARNINGS: Final = frozenset({HELD, LOW_BALANCE, TAKES_HELD, SCHEDULE_FAILED, SCHEDULE_MISSED})

log = structlog.get_logger("ttsq.events")


@dataclass(frozen=True, slots=True)
class Event:
    id: int
    """Grows in the order in which events became visible: a reader that continues after the last id misses none."""
    at: datetime
    type: str
    tenant: str | None
    subject: str
    data: Mapping[str, Any]
    """Further fields, JSON only: amounts as strings, times in ISO 8601."""


def take_turn(connection: Connection) -> None:
    """Block other writers of events until the end of this transaction.

    A sequence assigns numbers before commits, so a reader could skip one that is not yet visible. To avoid deadlocks,
    call this before locking rows that other writers of events lock too.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(TURN)))


def announce(connection: Connection) -> None:
    """Wake the outbox relay when this transaction commits. Writers of events take turns, so none waits for it."""
    notifications.announce_events(connection)


def record(
    connection: Connection,
    type: str,  # noqa: A002 - the column's name
    subject: str,
    data: Mapping[str, Any],
    *,
    tenant: str | None = None,
    now: datetime,
) -> int:
    take_turn(connection)
    added = connection.execute(
        insert(EventRow)
        .values(at=now, type=type, tenant=tenant, subject=subject, data=json.dumps(data))
        .returning(EventRow.id)
    ).scalar_one()
    announce(connection)
    emit = log.warning if type in WARNINGS else log.info
    emit(type, **{"subject": subject, "tenant": tenant, **data})
    return added


def record_all(
    connection: Connection,
    type: str,  # noqa: A002 - the column's name
    facts: Sequence[tuple[str, str, Mapping[str, Any]]],
    *,
    now: datetime,
) -> None:
    """As `record`, for many events of one type: each is a subject, its tenant and the data. Logs their number only."""
    if not facts:
        return
    take_turn(connection)
    rows = [
        {"at": now, "type": type, "tenant": tenant, "subject": subject, "data": json.dumps(data)}
        for subject, tenant, data in facts
    ]
    connection.execute(insert(EventRow), rows)
    announce(connection)
    log.info("events_recorded", type=type, events=len(rows), first=facts[0][0])


def move_ahead(connection: Connection, *, now: datetime) -> tuple[int, int]:
    """Leave a gap in the event numbers, so that no number used after the backup is used again.

    The next number is the time in milliseconds since 1970: above all numbers at less than a thousand events per second,
    and exact in JavaScript. Returns the newest number before, and the number of the event that marks the gap.
    """
    take_turn(connection)
    newest = connection.execute(select(func.coalesce(func.max(EventRow.id), 0))).scalar_one()
    number = max(newest, int(now.timestamp() * 1000)) + 1
    connection.execute(
        insert(EventRow).values(
            id=number, at=now, type=RESTORED, tenant=None, subject="events", data=json.dumps({"after": newest})
        )
    )
    if connection.dialect.name == "postgresql":
        sequence = func.pg_get_serial_sequence(EventRow.__tablename__, EventRow.id.key)
        connection.execute(select(func.setval(sequence, number)))
    return newest, number


def after(connection: Connection, event_id: int, *, most: int, types: Sequence[str] = ()) -> list[Event]:
    """Return the events after this id, the oldest first; 0 starts with the first. `types` filters them."""
    query = select(EventRow.id, EventRow.at, EventRow.type, EventRow.tenant, EventRow.subject, EventRow.data).where(
        EventRow.id > event_id
    )
    if types:
        query = query.where(EventRow.type.in_(types))
    rows = connection.execute(query.order_by(EventRow.id).limit(most))
    return [Event(*row[:5], json.loads(row[5])) for row in rows]


def happened_since(connection: Connection, type: str, moment: datetime) -> bool:  # noqa: A002 - as above
    found = select(EventRow.id).where(EventRow.at >= moment, EventRow.type == type).limit(1)
    return connection.execute(found).first() is not None


def before_latest(connection: Connection, most: int, *, types: Sequence[str] = ()) -> int:
    """Return the id to pass to `after` to read the latest `most` events."""
    query = select(EventRow.id).order_by(EventRow.id.desc()).limit(most)
    if types:
        query = query.where(EventRow.type.in_(types))
    found = connection.execute(query).scalars().all()
    return found[-1] - 1 if found else 0


def forget(connection: Connection, *, written_before: datetime, most: int = 1_000) -> int:
    """Delete old events, at most `most` at once. Returns how many.

    The newest one always stays: SQLite would reuse its number, and readers depend on the numbers.
    """
    newest = select(func.max(EventRow.id)).scalar_subquery()
    old = select(EventRow.id).where(EventRow.at < written_before, EventRow.id < newest).order_by(EventRow.at)
    return connection.execute(delete(EventRow).where(EventRow.id.in_(old.limit(most)))).rowcount
