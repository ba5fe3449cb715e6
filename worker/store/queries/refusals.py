"""Jobs that ended without audio after paid takes, and refused takes that were kept. Read-only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, func, or_, select

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.store.states import in_state
from worker.store.tables.jobs import Attempt, Job

_WITHOUT_AUDIO: Final = in_state(JobStatus.FAILED, JobStatus.EXPIRED, JobStatus.CANCELLED)
PAID_IN_VAIN: Final[ColumnElement[bool]] = _WITHOUT_AUDIO & or_(Job.cost > 0, Job.takes_used > 0)
"""Jobs whose calls were paid for, or may have been, without an accepted take."""


@dataclass(frozen=True, slots=True)
class InVain:
    texts: int
    cost: Decimal
    by_model: dict[str, int]


@dataclass(frozen=True, slots=True)
class KeptTake:
    job_id: UUID
    uri: str


def in_vain(connection: Connection, which: ColumnElement[bool]) -> InVain:
    rows = connection.execute(
        select(Job.model, func.count(), func.sum(Job.cost, type_=Job.cost.type))
        .where(which, PAID_IN_VAIN)
        .group_by(Job.model)
    ).all()
    return InVain(
        sum(row[1] for row in rows), sum((row[2] for row in rows), Decimal(0)), {row[0]: row[1] for row in rows}
    )


def latest_detail(connection: Connection, job_id: UUID) -> str | None:
    refused = (Attempt.job_id == job_id) & (Attempt.verdict == VerdictKind.BAD_TAKE)
    return connection.execute(
        select(Attempt.detail).where(refused).order_by(Attempt.number.desc()).limit(1)
    ).scalar_one_or_none()


def kept_takes(connection: Connection, which: ColumnElement[bool], *, most: int) -> list[KeptTake]:
    query = (
        select(Job.id, Attempt.take_uri)
        .join(Attempt, Attempt.job_id == Job.id)
        .where(which, Job.takes_used > 0, Attempt.take_uri.is_not(None))
        .order_by(Attempt.finished_at.desc())
        .limit(most)
    )
    return [KeptTake(job_id, uri) for job_id, uri in connection.execute(query) if uri is not None]
