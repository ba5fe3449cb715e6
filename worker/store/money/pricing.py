"""Expected cost and duration of the next calls, from the ledger. Read-only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, func, not_, or_, select

from api_models.status import TERMINAL, JobStatus
from api_models.verdict import VerdictKind
from worker.store.queries import refusals
from worker.store.states import IS_DOCUMENT, in_state
from worker.store.tables.jobs import Attempt, Job

ZERO: Final = Decimal(0)
_IN_VAIN: Final = refusals.PAID_IN_VAIN.label("in_vain")
LATEST_CALLS: Final = 500
"""How many of the newest calls the estimate is based on."""
FINGERPRINTS_PER_POLL: Final = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """Averages over a model's newest calls."""

    texts: int
    cost: Decimal
    seconds: float


@dataclass(frozen=True, slots=True)
class Text:
    model: str
    characters: int
    fingerprint: str
    use_cache: bool
    job_id: UUID | None = None
    done: bool = False
    in_vain: bool = False
    """It ended without audio after paid takes."""


def texts(connection: Connection, batch_id: UUID, *, not_over: bool = False) -> list[Text]:
    """Return the texts of a batch in the order of submission: all, or those of unfinished jobs.

    Texts removed before they were spoken are remaining out: they can no longer be spoken. Of documents, their parts.
    """
    query = select(
        Job.id,
        Job.model,
        func.length(Job.text).label("characters"),
        Job.fingerprint,
        Job.use_cache,
        Job.status,
        _IN_VAIN,
    ).where(Job.batch_id == batch_id, ~IS_DOCUMENT, or_(Job.purged_at.is_(None), in_state(JobStatus.SUCCEEDED)))
    if not_over:
        query = query.where(in_state(*(status for status in JobStatus if status not in TERMINAL)))
    rows = connection.execute(query.order_by(Job.id))
    return [
        Text(
            row.model,
            row.characters,
            row.fingerprint,
            row.use_cache,
            row.id,
            row.status == JobStatus.SUCCEEDED,
            bool(row.in_vain),
        )
        for row in rows
    ]


def seen(connection: Connection, model: str) -> Seen | None:
    """Return what the API reported for a model's newest calls; None if it has not spoken a text yet."""
    rows = connection.execute(
        select(Attempt.verdict, Attempt.cost, Attempt.started_at, Attempt.finished_at)
        .where(
            Attempt.model == model,
            Attempt.verdict.in_((VerdictKind.SUCCESS, VerdictKind.BAD_TAKE)),
            not_(Attempt.cost_estimated),
        )
        .order_by(Attempt.finished_at.desc())
        .limit(LATEST_CALLS)
    ).all()
    texts = sum(row.verdict == VerdictKind.SUCCESS for row in rows)
    if not texts:
        return None
    seconds = sum((row.finished_at - row.started_at).total_seconds() for row in rows) / len(rows)
    return Seen(texts, sum((row.cost for row in rows), ZERO) / texts, seconds)


def bought(connection: Connection, fingerprints: Iterable[str]) -> set[str]:
    remaining, found = iter(fingerprints), set[str]()
    while page := list(islice(remaining, FINGERPRINTS_PER_POLL)):
        found.update(
            connection.execute(
                select(Job.fingerprint)
                .where(in_state(JobStatus.SUCCEEDED), Job.fingerprint.in_(page), Job.purged_at.is_(None))
                .distinct()
            ).scalars()
        )
    return found
