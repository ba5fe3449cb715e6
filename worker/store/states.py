"""States as SQL literals. A bound parameter would keep the planner from choosing a partial index."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, String, Uuid, and_, literal_column, select, tuple_

from api_models.status import JobStatus
from worker.store.tables.jobs import Job

MAX_IN_FLIGHT: Final = 1_000_000
"""More than all workers' slots together."""


_FIRST_ID: Final = literal_column("'00000000-0000-0000-0000-000000000000'::uuid", Uuid)
_LAST_ID: Final = literal_column("'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid", Uuid)
_LISTED: Final = (
    (JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.SUCCEEDED),
    (JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED),
)
"""The states in the predicates of `ix_jobs_pages` and `ix_jobs_ended_pages`, in their order."""
# Without a type: SQLite's conditions have no Boolean, so SQLAlchemy would compare one with 1, and the planner would not
# recognise the predicate of a partial index.
IS_WHOLE: Final[ColumnElement[Any]] = literal_column("(jobs.parent IS NULL)")
"""Whether a job is one that a producer submitted, not a part of a document. Literal, so that tallies, which count no
parts, can leave it out.
"""
IS_DOCUMENT: Final[ColumnElement[Any]] = literal_column("(jobs.parts IS NOT NULL)")


def in_state(*states: JobStatus) -> ColumnElement[bool]:
    literals = [literal_column(f"'{state.value}'", String) for state in states]
    return Job.status == literals[0] if len(literals) == 1 else Job.status.in_(literals)


def in_flight_as(state: JobStatus) -> ColumnElement[bool]:
    """Whether a job is dispatched, or running, in a form that the index of jobs in flight serves.

    It repeats that index's predicate literally: SQLite accepts no other proof that a partial index fits.
    """
    return and_(in_state(JobStatus.DISPATCHED, JobStatus.RUNNING), in_state(state))


def of_page(state: JobStatus, dialect: str) -> ColumnElement[bool]:
    """Whether a job is in this state, in a form that one of the indexes for pages by state serves; as above.

    Jobs in flight are few, and those indexes are without them: the limit makes planners look them up first. Of other
    states a range, so that an order by state and id is that of the index and of no other. PostgreSQL compares rows:
    it would multiply the shares of a state's two bounds, take the state for rare and read all of it.
    """
    if state in {JobStatus.DISPATCHED, JobStatus.RUNNING}:
        return Job.id.in_(select(Job.id).where(in_flight_as(state)).limit(MAX_IN_FLIGHT))
    indexed = in_state(*next(states for states in _LISTED if state in states))
    literal = literal_column(f"'{state.value}'", String)
    if dialect != "postgresql":
        return and_(indexed, Job.status >= literal, Job.status <= literal)
    key = tuple_(Job.status, Job.id)
    return and_(indexed, key >= tuple_(literal, _FIRST_ID), key <= tuple_(literal, _LAST_ID))


def unfinished_of_key() -> ColumnElement[bool]:
    """Whether a job is unfinished, in a form that the index of API keys' unfinished jobs serves; as above."""
    return in_state(JobStatus.SCHEDULED, JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.RUNNING)
