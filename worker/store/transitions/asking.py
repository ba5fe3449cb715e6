"""What people ask of jobs: to enter, to be called off, to be tried again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, insert, update

from api_models.status import TERMINAL, JobStatus
from worker.store.states import in_state
from worker.store.tables import Job


def submit(connection: Connection, rows: Iterable[dict[str, Any]]) -> int:
    """Write new jobs, exactly as the producer made them. Returns how many."""
    prepared = list(rows)
    if prepared:
        connection.execute(insert(Job), prepared)
    return len(prepared)


def cancel(connection: Connection, which: ColumnElement[bool], *, now: datetime) -> int:
    """Call off every job of the selection that is not over. A call under way is still paid and its cost recorded."""
    return connection.execute(
        update(Job)
        .where(which, ~in_state(*sorted(TERMINAL)))
        .values(
            status=JobStatus.CANCELLED,
            finished_at=now,
            worker_id=None,
            code="cancelled",
            message="It was cancelled by request.",
        )
    ).rowcount


def retry(connection: Connection, which: ColumnElement[bool], *, states: Sequence[JobStatus]) -> int:
    """Try ended jobs of the selection again, under the same ids, with fresh attempts. Their history stays."""
    allowed = TERMINAL - {JobStatus.SUCCEEDED}
    return connection.execute(
        update(Job)
        .where(which, in_state(*(status for status in states if status in allowed)))
        .values(
            status=JobStatus.QUEUED,
            attempts_used=0,
            takes_used=0,
            recover=True,
            not_before=None,
            deadline=None,
            dispatched_at=None,
            started_at=None,
            finished_at=None,
            code=None,
            message=None,
            detail=None,
        )
    ).rowcount


def these(job_ids: Sequence[UUID]) -> ColumnElement[bool]:
    """The selection of jobs by id."""
    return Job.id.in_(job_ids)
