"""Jobs in a given state and claims of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from api_models.status import JobStatus
from tests.factories import (
    NOW,
    stored,
)
from worker.store.transitions import (
    claims as job_claims,
)
from worker.store.transitions import (
    dispatches,
)
from worker.store.transitions.claims import Claim

LATER: Final = NOW + timedelta(minutes=5)


HOLDER: Final = uuid7()
"""The worker of every job that has one."""


S, Q, D, R = JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.RUNNING


SUCCEEDED, FAILED, CANCELLED, EXPIRED = (
    JobStatus.SUCCEEDED,
    JobStatus.FAILED,
    JobStatus.CANCELLED,
    JobStatus.EXPIRED,
)


AGAIN: Final = (FAILED, CANCELLED, EXPIRED)


def but_cost(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row
    """Everything of a job but what it cost."""
    return {**vars(row), "cost": None}


def claimed(connection: Connection, job: UUID, worker: UUID | None = None) -> Claim:
    """The job in the hands of a worker, however many claims it had seen."""
    seen = stored(connection, job).attempt
    dispatches.dispatch(connection, [job], worker_id=None, now=NOW)
    found = job_claims.claim(connection, job, seen, worker_id=worker or HOLDER, now=NOW)
    assert found is not None
    return found
