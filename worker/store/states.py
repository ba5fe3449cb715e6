"""States as SQL literals. A bound parameter would keep the planner from choosing a partial index."""

from __future__ import annotations

from sqlalchemy import ColumnElement, String, and_, literal_column

from api_models.status import JobStatus
from worker.store.tables.jobs import Job


def in_state(*states: JobStatus) -> ColumnElement[bool]:
    literals = [literal_column(f"'{state.value}'", String) for state in states]
    return Job.status == literals[0] if len(literals) == 1 else Job.status.in_(literals)


def in_flight_as(state: JobStatus) -> ColumnElement[bool]:
    """Whether a job is dispatched, or running, in a form that the index of jobs in flight serves.

    It repeats that index's predicate literally: SQLite accepts no other proof that a partial index fits.
    """
    return and_(in_state(JobStatus.DISPATCHED, JobStatus.RUNNING), in_state(state))


def unfinished_of_key() -> ColumnElement[bool]:
    """Whether a job is unfinished, in a form that the index of API keys' unfinished jobs serves; as above."""
    return in_state(JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.RUNNING)
