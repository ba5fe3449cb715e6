"""What happened once and somebody may want to hear of: written in the transaction that made it true, read in order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import Connection, delete, func, insert, select

from worker.store.tables.webhooks import EventRow

TURN: Final = 0x7474_7371
"""The advisory lock that writers of events take on PostgreSQL: `ttsq` in ASCII."""

HELD: Final = "account.held"
"""A gate closed."""
RELEASED: Final = "account.released"
"""A gate opened."""
LOW_BALANCE: Final = "account.low_balance"
"""The balance fell below the amount in the settings."""
TAKES_HELD: Final = "takes.held"
"""A batch, or a tenant's jobs of one model, is held because its takes were refused one after another."""
TAKES_RELEASED: Final = "takes.released"
"""It was resumed."""
SCHEDULE_FAILED: Final = "schedule.failed"
"""Nothing was handed in of a schedule's run. Its subject is the schedule's name."""
SCHEDULE_MISSED: Final = "schedule.missed"
"""Nobody was there for a schedule's time, and it was too late to make up for it."""
RESTORED: Final = "queue.restored"
"""The database was restored from a backup; the event's number lies ahead of all that were given out before."""
WARNINGS: Final = frozenset({HELD, LOW_BALANCE, TAKES_HELD, SCHEDULE_FAILED, SCHEDULE_MISSED})
"""Events that somebody should look into."""

log = structlog.get_logger("ttsq.events")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    id: int
    """Grows with the order in which events became visible: a reader that goes on after the last one misses none."""
    at: datetime
    type: str
    """Such as `account.held`."""
    tenant: str | None
    """Whom it concerns; None for the whole account."""
    subject: str
    """What it is about: a gate's name, a job's or a batch's id."""
    data: Mapping[str, Any]
    """The rest; nothing but what JSON has, amounts as strings, moments in ISO 8601."""


def take_turn(connection: Connection) -> None:
    """Let no other event be written until the end of this transaction.

    A sequence hands out its numbers before the commits, and a reader could pass one by that isn't visible yet. Whoever
    locks rows that other writers of events lock too takes its turn first, so that no two wait for each other.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(TURN)))


def record(
    connection: Connection,
    type: str,  # noqa: A002 - the word of the table and of everybody who reads it
    subject: str,
    data: Mapping[str, Any],
    *,
    tenant: str | None = None,
    now: datetime,
) -> int:
    """Write an event down, and say it in the log. Its id."""
    take_turn(connection)
    added = connection.execute(
        insert(EventRow)
        .values(at=now, type=type, tenant=tenant, subject=subject, data=json.dumps(data))
        .returning(EventRow.id)
    ).scalar_one()
    say = log.warning if type in WARNINGS else log.info
    say(type, **{"subject": subject, "tenant": tenant, **data})
    return added


def move_ahead(connection: Connection, *, now: datetime) -> tuple[int, int]:
    """Leave a gap in the numbers, so that none is given out again that was used after a backup had been taken.

    The next number is the time in milliseconds since 1970, which fewer than a thousand events a second never reach, and
    which JavaScript still holds exactly. Returns the newest number before, and that of the event that marks the gap.
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
    """The events that came after this one, the oldest first; 0 begins with the first. `types` leaves out all others."""
    query = select(EventRow.id, EventRow.at, EventRow.type, EventRow.tenant, EventRow.subject, EventRow.data).where(
        EventRow.id > event_id
    )
    if types:
        query = query.where(EventRow.type.in_(types))
    rows = connection.execute(query.order_by(EventRow.id).limit(most))
    return [Event(*row[:5], json.loads(row[5])) for row in rows]


def happened_since(connection: Connection, type: str, moment: datetime) -> bool:  # noqa: A002 - as above
    """Whether an event of this type was written at or after this moment."""
    found = select(EventRow.id).where(EventRow.at >= moment, EventRow.type == type).limit(1)
    return connection.execute(found).first() is not None


def before_latest(connection: Connection, most: int, *, types: Sequence[str] = ()) -> int:
    """The event after which the latest so many come: what `after` is to be asked with."""
    query = select(EventRow.id).order_by(EventRow.id.desc()).limit(most)
    if types:
        query = query.where(EventRow.type.in_(types))
    found = connection.execute(query).scalars().all()
    return found[-1] - 1 if found else 0


def forget(connection: Connection, *, written_before: datetime, most: int = 1_000) -> int:
    """Drop events that nobody can still be waiting for, at most so many at once. Returns how many.

    The newest one stays whatever its age: SQLite would give its number to the next, and readers go by the numbers.
    """
    newest = select(func.max(EventRow.id)).scalar_subquery()
    old = select(EventRow.id).where(EventRow.at < written_before, EventRow.id < newest).order_by(EventRow.at)
    return connection.execute(delete(EventRow).where(EventRow.id.in_(old.limit(most)))).rowcount
