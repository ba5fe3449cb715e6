"""The states of a job and the ways from one to another. Everything that asks "is it over?" asks here."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class JobStatus(StrEnum):
    """Where a job stands. Each state says what a crash leaves behind in it."""

    SCHEDULED = "scheduled"
    """`not_before` lies ahead: a later start, a backoff, or a twin that is buying the same. A crash leaves a row that
    the next dispatcher promotes."""
    QUEUED = "queued"
    """May start as soon as the dispatcher admits it. A crash changes nothing: the row waits."""
    DISPATCHED = "dispatched"
    """A message is out. Lost with the broker or its worker, it goes back to queued after `dispatch_timeout`."""
    RUNNING = "running"
    """A worker claimed it. When that worker's heartbeat lapses, it goes back to queued, marked for recovery."""
    SUCCEEDED = "succeeded"
    """Accepted audio is stored and recorded."""
    FAILED = "failed"
    """It ended without audio; `code`, `message` and `detail` say why. It can be retried by hand, under the same id."""
    CANCELLED = "cancelled"
    """Someone called it off. Audio that was already being bought is kept, its cost recorded."""
    EXPIRED = "expired"
    """Its deadline passed before it started. Nothing was paid."""


TERMINAL: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})
"""States that end a job."""

IN_FLIGHT: Final = frozenset({JobStatus.DISPATCHED, JobStatus.RUNNING})
"""States that occupy a worker's slot."""

WAITING: Final = frozenset({JobStatus.SCHEDULED, JobStatus.QUEUED})
"""States in which nothing has been started yet."""

TRANSITIONS: Final[dict[JobStatus, frozenset[JobStatus]]] = {
    JobStatus.SCHEDULED: frozenset({JobStatus.QUEUED, JobStatus.CANCELLED, JobStatus.EXPIRED}),
    JobStatus.QUEUED: frozenset({JobStatus.DISPATCHED, JobStatus.SCHEDULED, JobStatus.CANCELLED, JobStatus.EXPIRED}),
    JobStatus.DISPATCHED: frozenset({JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.CANCELLED, JobStatus.EXPIRED}),
    JobStatus.RUNNING: frozenset(
        {JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.CANCELLED}
    ),
    JobStatus.SUCCEEDED: frozenset(),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED}),
    JobStatus.CANCELLED: frozenset({JobStatus.QUEUED}),
    JobStatus.EXPIRED: frozenset({JobStatus.QUEUED}),
}
"""Every permitted change of state. The last three lead back to queued only by a retry that someone asked for."""
