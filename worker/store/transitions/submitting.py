"""The handle of what was submitted for a job (v2): committed before the first poll, so that nobody submits it again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, update

from api_models.status import JobStatus
from worker.store.states import in_state
from worker.store.tables import Job
from worker.store.transitions.claiming import Claim

_THEIRS = in_state(JobStatus.RUNNING) & (Job.attempt == bindparam("number"))
# A worker that comes late has submitted all the same. Where nobody else did, its handle is what the next one polls.
_NOBODYS = Job.request_id.is_(None) & ~in_state(JobStatus.SUCCEEDED)
_KEEP = update(Job).where(Job.id == bindparam("job"), _THEIRS | _NOBODYS).values(request_id=bindparam("handle"))


def keep(connection: Connection, submitted: Sequence[tuple[Claim, str]]) -> None:
    """Write down the handles of requests that were just submitted.

    The attempt that has the job overrules whatever stands there. One that had it before only fills an empty place.
    """
    in_order = sorted(submitted, key=lambda one: one[0].job_id)  # as in `locks`: it may wait for a row and hold others
    values = [{"job": claim.job_id, "number": claim.attempt, "handle": handle} for claim, handle in in_order]
    connection.execute(_KEEP, values)
