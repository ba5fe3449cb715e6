"""The states of a job and their transitions. Every check whether a job has finished uses this module."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class JobStatus(StrEnum):
    """A job's state. Each documents what a crash leaves behind."""

    SCHEDULED = "scheduled"
    """`not_before` is in the future: a later start, a backoff, or another job buying the same content. After a crash
    the next dispatcher promotes the row.
    """
    QUEUED = "queued"
    """Ready to start once admitted. A crash changes nothing."""
    DISPATCHED = "dispatched"
    """A message was sent. If it is lost, the job returns to queued after `dispatch_timeout`."""
    RUNNING = "running"
    """A worker claimed it. If the worker's heartbeat lapses, the job returns to queued, marked for recovery."""
    SUCCEEDED = "succeeded"
    """Accepted audio is stored and recorded."""
    FAILED = "failed"
    """It ended without audio; `code`, `message` and `detail` have the reason. It can be retried under its id."""
    CANCELLED = "cancelled"
    """Cancelled on request. Audio from a running call is kept and its cost recorded."""
    EXPIRED = "expired"
    """The deadline passed before it started. Nothing was paid."""


TERMINAL: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})
"""Finished states."""

IN_FLIGHT: Final = frozenset({JobStatus.DISPATCHED, JobStatus.RUNNING})
"""States that occupy a slot."""

WAITING: Final = frozenset({JobStatus.SCHEDULED, JobStatus.QUEUED})
"""States before the first call."""

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
"""Permitted transitions. Terminal states return to queued only on an explicit retry."""
