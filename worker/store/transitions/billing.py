"""The cost of a call, booked once: also if the report is late, or several attempts deliver the same audio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, bindparam, exists, or_, select, tuple_, update
from sqlalchemy.orm import aliased

from api_models.verdict import VerdictKind
from worker.store.tables.jobs import Attempt, Job

ZERO: Final = Decimal(0)
FOUND_MESSAGE: Final = "The worker stopped before its call ended; the audio was found later."

_LOCK = select(Job.id).where(Job.id == bindparam("job")).with_for_update()
_SAME_CALL = (Attempt.job_id == bindparam("job")) & or_(
    Attempt.request_id == bindparam("request"), Attempt.number == bindparam("source")
)
_CHARGED = select(Attempt.number).where(_SAME_CALL, Attempt.cost > ZERO).limit(1)
_CLEAR_UP = update(Attempt).where(_SAME_CALL, Attempt.possibly_billed).values(possibly_billed=False)
_PAID = aliased(Attempt)
_FLAG = (
    update(Attempt)
    .where(
        _SAME_CALL,
        ~exists().where(_PAID.job_id == bindparam("job"), _PAID.request_id == bindparam("request"), _PAID.cost > ZERO),
    )
    .values(possibly_billed=True)
)
_CHARGE = update(Job).where(Job.id == bindparam("job")).values(cost=Job.cost + bindparam("paid", type_=Job.cost.type))


@dataclass(frozen=True, slots=True)
class Call:
    job_id: UUID
    request_id: str | None
    source: int | None = None
    """The attempt that made the call, if it is not the reporting one."""


def is_charged(connection: Connection, call: Call) -> bool:
    """Whether the cost of this call is booked. Holds a lock, so that no other transaction can book it meanwhile."""
    connection.execute(_LOCK, {"job": call.job_id})
    return connection.execute(_CHARGED, _named(call)).first() is not None


def clear_up(connection: Connection, call: Call) -> None:
    """The result of this call is known: clear `possibly_billed` on every attempt for it."""
    connection.execute(_CLEAR_UP, _named(call))


def flag(connection: Connection, calls: Sequence[Call]) -> None:
    """These requests will not be polled again: mark them possibly billed, unless their cost is booked."""
    if calls:
        connection.execute(_FLAG, [_named(call) for call in calls])


def charge(connection: Connection, job_id: UUID, paid: Decimal) -> None:
    if paid:
        connection.execute(_CHARGE, {"job": job_id, "paid": paid})


@dataclass(frozen=True, slots=True)
class Lost:
    """An attempt whose worker died during the call, so that the cost is unknown."""

    job_id: UUID
    number: int
    model: str


# A row that is not possibly billed and has no handle left was delivered by another attempt.
_UNKNOWN = (
    Attempt.verdict.in_((VerdictKind.LOST, VerdictKind.RELEASED))
    & (Attempt.cost == ZERO)
    & or_(Attempt.possibly_billed, Attempt.request_id.is_not(None))
)


def lost(connection: Connection, attempts: Sequence[tuple[UUID, int]]) -> list[Lost]:
    if not attempts:
        return []
    rows = connection.execute(
        select(Attempt.job_id, Attempt.number, Attempt.model).where(
            tuple_(Attempt.job_id, Attempt.number).in_(attempts), _UNKNOWN
        )
    )
    return [Lost(*row) for row in rows]


def charge_lost(
    connection: Connection, attempt: Lost, *, cost: Decimal, estimated: bool, request_id: str | None, now: datetime
) -> Decimal | None:
    """Record the cost of a lost attempt's call once its response was found.

    Returns the amount booked: zero if another attempt had delivered the same audio; None if the attempt is no longer
    lost.
    """
    call = Call(attempt.job_id, request_id)
    paid = ZERO if is_charged(connection, call) else cost
    found: dict[str, Any] = {
        "verdict": VerdictKind.LATE,
        "code": "found_later",
        "message": FOUND_MESSAGE,
        "cost": paid,
        "cost_estimated": estimated and paid > ZERO,
        "possibly_billed": False,
        "finished_at": now,
        "noted": False,
    }
    if request_id is not None:
        found["request_id"] = request_id
    written = connection.execute(
        update(Attempt)
        .where(Attempt.job_id == attempt.job_id, Attempt.number == attempt.number, _UNKNOWN)
        .values(found)
    ).rowcount
    if not written:
        return None
    charge(connection, attempt.job_id, paid)
    clear_up(connection, call)
    return paid


def _named(call: Call) -> dict[str, object]:
    return {"job": call.job_id, "request": call.request_id, "source": call.source}
