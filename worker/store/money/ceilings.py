"""The maximum cost of a call: its list price, or the most expensive of the latest calls.

The vendor publishes averages, and a longer text may cost more. A text longer than all recently spoken ones is therefore
assumed to cost proportionally more: right for a cost that grows with length, too high otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Final

from sqlalchemy import ColumnElement, Connection, Integer, LargeBinary, case, cast, func, select

from api_models.registry import MODELS
from api_models.verdict import VerdictKind
from worker.store.tables.jobs import Attempt, Job

ZERO: Final = Decimal(0)
LATEST_CALLS: Final = 2_000
"""How many of the newest attempts are read, for all models together."""
FINEST: Final = Decimal("0.000001")
"""Proportional costs are rounded up to this fraction of a dollar."""
PAID: Final = (VerdictKind.SUCCESS, VerdictKind.BAD_TAKE, VerdictKind.LATE)
"""Verdicts whose cost is the cost of a call."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    cost: Decimal
    """US dollars of the most expensive call."""
    text_bytes: int | None
    """The longest text spoken, in UTF-8. None if a length is unknown: then the cost applies to any text."""


Ceilings = Mapping[str, Ceiling]
"""By model. A missing model was not called recently, so its actual cost is unknown."""


def at_most(ceilings: Ceilings, model: str, text_bytes: int) -> Decimal:
    price = MODELS.price_of(model, text_bytes)
    known = ceilings.get(model)
    if known is None:
        return price
    if known.text_bytes is None or text_bytes <= known.text_bytes:
        return max(price, known.cost)
    longer = known.cost * text_bytes / max(known.text_bytes, 1)
    return max(price, longer.quantize(FINEST, ROUND_UP))


def load(connection: Connection) -> dict[str, Ceiling]:
    latest = (
        select(Attempt.job_id, Attempt.model, Attempt.verdict, Attempt.cost, Attempt.text_bytes)
        .order_by(Attempt.finished_at.desc())
        .limit(LATEST_CALLS)
        .subquery()
    )
    # The ledger has the text's length. Rows of older workers don't, and a purged job's text is empty.
    size = func.coalesce(latest.c.text_bytes, case((Job.purged_at.is_(None), text_bytes(connection.dialect.name))))
    # If any length is unknown, the longest known one may not be the longest.
    longest = case((func.count(size) == func.count(), func.max(size, type_=Integer)))
    rows = connection.execute(
        select(latest.c.model, func.max(latest.c.cost, type_=Attempt.cost.type), longest)
        .outerjoin(Job, Job.id == latest.c.job_id)
        .where(latest.c.verdict.in_(PAID))
        .group_by(latest.c.model)
    )
    return {model: Ceiling(cost, size) for model, cost, size in rows}


def text_bytes(dialect: str) -> ColumnElement[int]:
    if dialect == "postgresql":
        return func.octet_length(Job.text, type_=Integer)
    return func.length(cast(Job.text, LargeBinary), type_=Integer)
