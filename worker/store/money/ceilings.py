"""What a call may cost at most, as far as can be known: the registry's price, or the dearest of the latest calls.

The vendor publishes averages, and a longer text may well cost more. A text longer than any that was spoken lately is
therefore taken to cost more in proportion: right for a cost that follows the length, too much for one that doesn't.
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
"""So many of the newest attempts are looked at, whatever their model."""
FINEST: Final = Decimal("0.000001")
"""What is taken in proportion is rounded up to this part of a dollar."""
PAID: Final = (VerdictKind.SUCCESS, VerdictKind.BAD_TAKE, VerdictKind.LATE)
"""Verdicts that tell what a call costs."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What is known of one model's calls."""

    cost: Decimal
    """US dollars of the dearest one."""
    text_bytes: int | None
    """The longest text that was spoken, in UTF-8. None where no length is known: then the cost is taken for any."""


Ceilings = Mapping[str, Ceiling]
"""By model. One that is missing was not called lately: what its calls really cost is unknown."""


def at_most(ceilings: Ceilings, model: str, text_bytes: int) -> Decimal:
    """What a call may cost at most, in US dollars."""
    price = MODELS[model].price if model in MODELS else ZERO
    known = ceilings.get(model)
    if known is None:
        return price
    if known.text_bytes is None or text_bytes <= known.text_bytes:
        return max(price, known.cost)
    longer = known.cost * text_bytes / max(known.text_bytes, 1)
    return max(price, longer.quantize(FINEST, ROUND_UP))


def load(connection: Connection) -> dict[str, Ceiling]:
    """The ceilings by the latest calls."""
    latest = (
        select(Attempt.job_id, Attempt.model, Attempt.verdict, Attempt.cost, Attempt.text_bytes)
        .order_by(Attempt.finished_at.desc())
        .limit(LATEST_CALLS)
        .subquery()
    )
    # The ledger knows how long a text was. A row of an older worker doesn't, and a purged job's own text is empty.
    size = func.coalesce(latest.c.text_bytes, case((Job.purged_at.is_(None), text_bytes(connection.dialect.name))))
    # Nor may the longest of the known be taken for the longest, where the length of some isn't known.
    longest = case((func.count(size) == func.count(), func.max(size, type_=Integer)))
    rows = connection.execute(
        select(latest.c.model, func.max(latest.c.cost, type_=Attempt.cost.type), longest)
        .outerjoin(Job, Job.id == latest.c.job_id)
        .where(latest.c.verdict.in_(PAID))
        .group_by(latest.c.model)
    )
    return {model: Ceiling(cost, size) for model, cost, size in rows}


def text_bytes(dialect: str) -> ColumnElement[int]:
    """The length of a job's text in UTF-8, in SQL."""
    if dialect == "postgresql":
        return func.octet_length(Job.text, type_=Integer)
    return func.length(cast(Job.text, LargeBinary), type_=Integer)
