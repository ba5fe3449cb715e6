"""States as SQL literals. A bound parameter would hide from the planner that a partial index fits."""

from __future__ import annotations

from sqlalchemy import ColumnElement, String, literal_column

from api_models.status import JobStatus
from worker.store.tables import Job


def in_state(*states: JobStatus) -> ColumnElement[bool]:
    """The condition that a job is in one of these states."""
    literals = [literal_column(f"'{state.value}'", String) for state in states]
    return Job.status == literals[0] if len(literals) == 1 else Job.status.in_(literals)
