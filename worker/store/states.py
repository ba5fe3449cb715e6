"""States as SQL literals. A bound parameter would keep the planner from choosing a partial index."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, ColumnElement, String, and_, literal_column, select

from api_models.status import JobStatus
from worker.store.tables.jobs import Job

MAX_IN_FLIGHT: Final = 1_000_000
"""More than all workers' slots together."""


_LISTED: Final = (
    (JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.SUCCEEDED),
    (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED),
)
"""The states in the predicates of `ix_jobs_listed` and `ix_jobs_ended`, in their order."""
IS_WHOLE: Final[ColumnElement[bool]] = literal_column("(jobs.parent IS NULL)", Boolean)
"""Whether a job is one that a producer submitted, not a part of a document. Literal, so that tallies, which count no
parts, can leave it out.
"""
IS_DOCUMENT: Final[ColumnElement[bool]] = literal_column("(jobs.parts IS NOT NULL)", Boolean)


def in_state(*states: JobStatus) -> ColumnElement[bool]:
    literals = [literal_column(f"'{state.value}'", String) for state in states]
    return Job.status == literals[0] if len(literals) == 1 else Job.status.in_(literals)


def in_flight_as(state: JobStatus) -> ColumnElement[bool]:
    """Whether a job is dispatched, or running, in a form that the index of jobs in flight serves.

    It repeats that index's predicate literally: SQLite accepts no other proof that a partial index fits.
    """
    return and_(in_state(JobStatus.DISPATCHED, JobStatus.RUNNING), in_state(state))


def of_page(state: JobStatus) -> ColumnElement[bool]:
    """Whether a job is in this state, in a form that one of the indexes for pages by state serves; as above.

    Jobs in flight are few, and those indexes are without them: the limit makes planners look them up first. Of other
    states a range, so that an order by state and id is that of the index and of no other.
    """
    if state in {JobStatus.DISPATCHED, JobStatus.RUNNING}:
        return Job.id.in_(select(Job.id).where(in_flight_as(state)).limit(MAX_IN_FLIGHT))
    indexed = next(states for states in _LISTED if state in states)
    literal = literal_column(f"'{state.value}'", String)
    return and_(in_state(*indexed), Job.status >= literal, Job.status <= literal)


def unfinished_of_key() -> ColumnElement[bool]:
    """Whether a job is unfinished, in a form that the index of API keys' unfinished jobs serves; as above."""
    return in_state(JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.RUNNING)
