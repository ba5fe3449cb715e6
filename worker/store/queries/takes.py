"""The takes that were bought for a job, with what was heard in them. Read-only."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, select

from api_models.status import JobStatus
from api_models.verdict import VerdictKind
from worker.store import takes
from worker.store.tables.jobs import Attempt, Job
from worker.store.takes import TakeRecord

_WITH_AUDIO: Final = (VerdictKind.SUCCESS, VerdictKind.BAD_TAKE, VerdictKind.LATE)


@dataclass(frozen=True, slots=True)
class Take:
    """One take of a job."""

    job_id: UUID
    custom_id: str | None
    number: int
    """Of the attempt that bought it."""
    code: str | None
    message: str | None
    cost: Decimal
    uri: str | None
    """None if it was not kept."""
    is_used: bool
    """Whether it is the job's audio."""
    seconds: float | None
    record: TakeRecord | None
    """None if it was neither listened to nor marked."""

    @property
    def is_suspicious(self) -> bool:
        return self.record is not None and self.record.suspicious

    @property
    def score(self) -> float | None:
        """The highest score of a rung that judged it; 1 is the threshold."""
        if self.record is None:
            return None
        scores = [one["score"] for one in json.loads(self.record.findings) if one["suspicious"] is not None]
        return max(scores, default=None)

    @property
    def mark(self) -> str | None:
        return None if self.record is None else self.record.mark


_COLUMNS: Final = (
    *(Attempt.job_id, Attempt.number, Attempt.verdict, Attempt.code, Attempt.message, Attempt.cost, Attempt.take_uri),
    *(Job.custom_id, Job.uri, Job.status, Job.duration_ms, Job.purged_at),
)


def bought(connection: Connection, which: ColumnElement[bool]) -> list[Take]:
    """Return the takes of the selected jobs, job by job, the earliest first. Copies are none: nothing was bought."""
    query = select(*_COLUMNS).join(Job, Job.id == Attempt.job_id).where(which, Attempt.verdict.in_(_WITH_AUDIO))
    by_job: dict[UUID, list[Any]] = defaultdict(list)
    for row in connection.execute(query.order_by(Attempt.job_id, Attempt.number)):
        by_job[row[0]].append(row)
    records: dict[UUID, dict[int, TakeRecord]] = defaultdict(dict)
    for record in takes.of_jobs(connection, list(by_job)):
        records[record.job_id][record.number] = record
    return [take for job_id, rows in by_job.items() for take in _takes(rows, records[job_id])]


def _takes(rows: Sequence[Any], records: Mapping[int, TakeRecord]) -> Iterator[Take]:
    chosen = {number for number, record in records.items() if record.accepted}
    # Without such a record, the attempt that succeeded has the audio.
    for row in rows:
        is_accepted = row.number in chosen if chosen else row.verdict == VerdictKind.SUCCESS
        yield _take(row, records.get(row.number), is_used=is_accepted and row.status == JobStatus.SUCCEEDED)


def _take(row: Any, record: TakeRecord | None, *, is_used: bool) -> Take:  # noqa: ANN401 - a statement's row
    known = row.duration_ms / 1000 if is_used and row.duration_ms else None
    uri = row.uri if is_used else row.take_uri
    return Take(
        row.job_id,
        row.custom_id,
        row.number,
        row.code,
        row.message,
        row.cost,
        None if row.purged_at else uri,
        is_used,
        known if record is None else record.seconds or known,
        record,
    )
